"""Videos to face crops."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def extract_frames(
    told: str,
    store: str,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Find, track and crop the face of every video; a bad video goes to the quarantine table."""
    from reenact.component import run_component

    run_component(
        "extract_frames",
        told=told,
        out=frames.path,
        metrics=metrics,
        store=store,
        folders={"videos": videos.path},
    )
