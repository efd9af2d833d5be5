"""Score the champion again and decide whether a new model is needed."""

from kfp import dsl

from components.image import TRAIN


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def rescore(
    told: str,
    results: str,
    drifted: dsl.Input[dsl.Dataset],
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    rescored: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    decision: dsl.Output[dsl.Markdown],
) -> bool:
    """Score the champion's registered weights on today's test pairs; returns whether a new model is needed."""
    from reenact.component import run_component

    result = run_component(
        "rescore",
        told=told,
        out=rescored.path,
        metrics=metrics,
        folders={
            "drift": drifted.path,
            "videos": videos.path,
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "segments": segments.path,
            "validated": validated.path,
        },
        results=results,
        shown={"decision.md": decision.path},
    )
    return bool(result.counts["needed"])
