"""Train the feature network of the losses."""

from kfp import dsl

from components.image import TRAIN

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def train_guide(
    told: str,
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Train the reader that perceptual and identity losses look through."""
    from reenact.component import run_component

    run_component(
        "train_guide",
        told=told,
        out=guide.path,
        metrics=metrics,
        folders={
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "validated": validated.path,
        },
    )
