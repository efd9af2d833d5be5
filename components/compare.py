"""Put the branches side by side and choose the winner."""

from kfp import dsl

from components.image import TOOLS


@dsl.component(base_image=TOOLS, install_kfp_package=False)
def compare(
    told: str,
    results: str,
    comparison: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    table: dsl.Output[dsl.Markdown],
) -> None:
    """Compare what lies in the results folder; a branch that is not there gets a row that says so.

    Takes plain parameters only: a step that has to run although some branches failed may have no input from them.
    """
    from reenact.component import run_component

    run_component(
        "compare",
        told=told,
        out=comparison.path,
        metrics=metrics,
        folders={},
        results=results,
        shown={"report.html": report.path, "table.md": table.path},
    )
