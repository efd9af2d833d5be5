"""Hold the challenger against the champion."""

from kfp import dsl

from components.image import TRAIN


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def gate(
    told: str,
    results: str,
    registered: dsl.Input[dsl.Model],
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Input[dsl.Model],
    gated: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    verdict: dsl.Output[dsl.Markdown],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Score both again on the test pairs; the version gets verdict and page, and waits for a decision."""
    from reenact.component import run_component

    run_component(
        "gate",
        told=told,
        out=gated.path,
        metrics=metrics,
        folders={
            "registered": registered.path,
            "videos": videos.path,
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "segments": segments.path,
            "validated": validated.path,
            "guide": guide.path,
        },
        results=results,
        shown={"verdict.md": verdict.path, "review.html": page.path},
    )
