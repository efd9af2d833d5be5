"""68 landmarks for every frame."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def label_landmarks(
    told: str,
    store: str,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Label every frame with the 68 iBUG points."""
    from reenact.component import run_component

    run_component(
        "label_landmarks",
        told=told,
        out=landmarks.path,
        metrics=metrics,
        store=store,
        folders={"videos": videos.path, "frames": frames.path},
    )
