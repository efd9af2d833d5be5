"""What a schedule runs: new data, labelled and checked; a new challenger where data or champion call for one."""

from components.compare import compare
from components.drift import drift
from components.gate import gate
from components.register import register
from components.rescore import rescore
from kfp import dsl

from pipelines.parts import prepared_data, pushed_data, pushed_outputs, trained_branches, with_guide
from pipelines.pods import POD, retried, tools_pod, train_pod


@dsl.pipeline(
    name="refresh",
    description="New data held against the champion's training, the champion scored again; trains only if needed.",
)
def refresh(
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
    drift_told: str,
    rescore_told: str,
    train_guide_told: str,
    train_told: str,
    evaluate_told: str,
    compare_told: str,
    register_told: str,
    gate_told: str,
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

    # What lies at the source is looked at anew: a cache would never see that it changed.
    data, rendered = prepared_data(told, store=store, place=place, fresh=True)

    drifted = drift(told=drift_told, results=results, validated=data["validated"])
    retried(tools_pod(drifted, place), 3).set_display_name("Drift").set_caching_options(False)

    decided = rescore(told=rescore_told, results=results, drifted=drifted.outputs["drifted"], **data)
    retried(train_pod(decided, place), 2).set_display_name("Rescore").set_caching_options(False)

    with dsl.If(decided.outputs["Output"] == True, "A new model is needed"):  # noqa: E712  (an expression of kfp)
        learned = with_guide(told, data, place=place)
        kept = pushed_data(told, learned, rendered=rendered, results=results, place=place)
        trained = trained_branches(told, learned, results=results, branch_list=branch_list, place=place)

        compared = compare(told=compare_told, results=results)
        compared.after(trained).ignore_upstream_failure()
        tools_pod(compared, place).set_display_name("Compare").set_caching_options(False)

        pushed = pushed_outputs(told, results=results, place=place)
        pushed.after(kept, compared).ignore_upstream_failure().set_display_name("Push outputs")

        registered = register(told=register_told, results=results, comparison=compared.outputs["comparison"])
        retried(tools_pod(registered, place), 3).set_display_name("Register").set_caching_options(False)

        gated = gate(told=gate_told, results=results, registered=registered.outputs["registered"], **learned)
        train_pod(gated, place).set_display_name("Gate").set_caching_options(False)

        # Once more, with what follows the comparison: nothing of it is where the comparison failed.
        pushed_outputs(told, results=results, place=place).after(pushed, gated).set_display_name("Push verdict")
