"""Draw the embedded clips."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def render_clips(
    told: str,
    rendered: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Draw parametric faces as ordinary videos, with the truth beside each."""
    from reenact.component import run_component

    run_component(
        "render_clips",
        told=told,
        out=rendered.path,
        metrics=metrics,
        folders={},
    )
