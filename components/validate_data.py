"""Check the tables and split the clips."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def validate_data(
    told: str,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Check the tables, measure the labels; a failed critical check stops the run. Write the split."""
    from reenact.component import run_component

    run_component(
        "validate_data",
        told=told,
        out=validated.path,
        metrics=metrics,
        folders={
            "videos": videos.path,
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "segments": segments.path,
        },
    )
