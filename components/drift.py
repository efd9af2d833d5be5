"""Hold today's data against what the champion was trained on."""

from kfp import dsl

from components.image import TOOLS


@dsl.component(base_image=TOOLS, install_kfp_package=False)
def drift(
    told: str,
    results: str,
    validated: dsl.Input[dsl.Dataset],
    drifted: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    table: dsl.Output[dsl.Markdown],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Say which columns moved, who is new and how much more there is since the champion was trained."""
    from reenact.component import run_component

    run_component(
        "drift",
        told=told,
        out=drifted.path,
        metrics=metrics,
        folders={"validated": validated.path},
        results=results,
        shown={"drift.md": table.path, "drift.html": page.path},
    )
