"""Score one branch."""

from kfp import dsl

from components.image import TRAIN


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def evaluate(
    told: str,
    results: str,
    system: str,
    variant: str,
    seed: int,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Input[dsl.Model],
    model: dsl.Input[dsl.Model],
    scores: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Score a trained branch by the judge, beside the reference rows."""
    from reenact.component import run_component

    run_component(
        "evaluate",
        told=told,
        out=scores.path,
        metrics=metrics,
        folders={
            "videos": videos.path,
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "segments": segments.path,
            "validated": validated.path,
            "guide": guide.path,
            "model": model.path,
        },
        branch={"system": system, "variant": variant, "seed": seed},
        results=results,
    )
