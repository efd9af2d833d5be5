"""Variants of systems side by side: the same data, one loop over branches, the comparison of those that survived."""

from components.compare import compare
from kfp import dsl

from pipelines.parts import prepared_data, pushed_data, pushed_outputs, trained_branches, with_guide
from pipelines.pods import POD, tools_pod


@dsl.pipeline(
    name="ablation", description="Every branch trained and scored on the same data and compared; nothing is registered."
)
def ablation(
    results: str,
    branch_list: list,
    store: str,
    shards_told: str,
    render_clips_told: str,
    fetch_data_told: str,
    extract_frames_told: str,
    label_landmarks_told: str,
    label_actions_told: str,
    label_segments_told: str,
    validate_data_told: str,
    train_guide_told: str,
    train_told: str,
    evaluate_told: str,
    compare_told: str,
    push_told: str,
    volume: str = POD["volume"],
    data_cpu: str = POD["data_cpu"],
    data_memory: str = POD["data_memory"],
    train_cpu: str = POD["train_cpu"],
    train_memory: str = POD["train_memory"],
    tools_cpu: str = POD["tools_cpu"],
    tools_memory: str = POD["tools_memory"],
    accelerator: str = POD["accelerator"],
    gpus: int = POD["gpus"],
    train_gpus: int = POD["train_gpus"],
    score_gpus: int = POD["score_gpus"],
    nodes: int = POD["nodes"],
    deadline_hours: float = POD["deadline_hours"],
    tolerations: list = POD["tolerations"],
    node_selector: dict = POD["node_selector"],
) -> None:
    given = locals()
    told = {name.removesuffix("_told"): value for name, value in given.items() if name.endswith("_told")}
    place = {name: given[name] for name in POD}

    data, rendered = prepared_data(told, store=store, place=place)
    data = with_guide(told, data, place=place)
    kept = pushed_data(told, data, rendered=rendered, results=results, place=place)
    trained = trained_branches(told, data, results=results, branch_list=branch_list, place=place)

    # Runs although a branch failed: its row says so, the step ends red, and so does the run.
    compared = compare(told=compare_told, results=results)
    compared.after(trained).ignore_upstream_failure()
    tools_pod(compared, place).set_display_name("Compare").set_caching_options(False)

    pushed = pushed_outputs(told, results=results, place=place)
    pushed.after(kept, compared).ignore_upstream_failure().set_display_name("Push outputs")
