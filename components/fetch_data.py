"""Bring the videos in."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def fetch_data(
    told: str,
    rendered: dsl.Input[dsl.Dataset],
    videos: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Collect the videos to work on: the rendered ones, or the folder that the settings name."""
    from reenact.component import run_component

    run_component(
        "fetch_data",
        told=told,
        out=videos.path,
        metrics=metrics,
        folders={"videos": rendered.path},
    )
