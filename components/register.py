"""Register the winner."""

from kfp import dsl

from components.image import TRAIN


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def register(
    told: str,
    results: str,
    comparison: dsl.Input[dsl.Dataset],
    registered: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Register the winner as a version of the one model and give it the alias `challenger`."""
    from reenact.component import run_component

    run_component(
        "register",
        told=told,
        out=registered.path,
        metrics=metrics,
        folders={"comparison": comparison.path},
        results=results,
    )
