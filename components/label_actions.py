"""Action units and pose for every frame."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def label_actions(
    told: str,
    store: str,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Label every frame with action units, pose, 3D landmarks with visibility."""
    from reenact.component import run_component

    run_component(
        "label_actions",
        told=told,
        out=actions.path,
        metrics=metrics,
        store=store,
        folders={"videos": videos.path, "frames": frames.path, "landmarks": landmarks.path},
    )
