"""What the pipelines share: the data steps, the loop over shards, the loop over branches."""

from collections.abc import Mapping
from typing import Any

from components.evaluate import evaluate
from components.extract_frames import extract_frames
from components.fetch_data import fetch_data
from components.label_actions import label_actions
from components.label_landmarks import label_landmarks
from components.label_segments import label_segments
from components.list_shards import list_shards
from components.prepare_shard import prepare_shard
from components.push_data import push_data
from components.push_outputs import push_outputs
from components.render_clips import render_clips
from components.train import train
from components.train_guide import train_guide
from components.validate_data import validate_data
from kfp import dsl

from pipelines.pods import Place, data_pod, retried, tools_pod, train_pod

Data = dict[str, Any]  # what stages read, by the name of their argument


@dsl.pipeline(name="shards", description="Crop and label group by group, side by side, into the store of shards.")
def shards(told: str, store: str, videos: dsl.Input[dsl.Dataset], volume: str, data_cpu: str, data_memory: str) -> None:
    place = {"volume": volume, "data_cpu": data_cpu, "data_memory": data_memory}
    listed = list_shards(told=told, videos=videos)
    data_pod(listed, place).set_display_name("List shards")
    with dsl.ParallelFor(listed.output) as group:
        prepared = prepare_shard(told=told, store=store, group=group, videos=videos)
        # The store knows what is done, whatever a cache remembers.
        data_pod(prepared, place).set_display_name("Prepare shard").set_caching_options(False)
        retried(prepared, 2)


@dsl.pipeline(name="branches", description="Train and score every branch: system x variant x seed.")
def branches(
    results: str,
    branches: list,
    train_told: str,
    evaluate_told: str,
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Input[dsl.Model],
    volume: str,
    train_cpu: str,
    train_memory: str,
    accelerator: str,
    gpus: int,
    train_gpus: int,
    score_gpus: int,
    nodes: int,
    deadline_hours: float,
    tolerations: list,
    node_selector: dict,
) -> None:
    place = {
        "volume": volume,
        "train_cpu": train_cpu,
        "train_memory": train_memory,
        "accelerator": accelerator,
        "train_gpus": train_gpus,
        "score_gpus": score_gpus,
        "tolerations": tolerations,
        "node_selector": node_selector,
    }
    data: Data = {
        "frames": frames,
        "landmarks": landmarks,
        "actions": actions,
        "segments": segments,
        "validated": validated,
        "guide": guide,
    }
    with dsl.ParallelFor(branches) as branch:
        which: dict[str, Any] = {
            "results": results,
            "system": branch.system,
            "variant": branch.variant,
            "seed": branch.seed,
        }
        machines = {"gpus": gpus, "nodes": nodes, "accelerator": accelerator, "deadline_hours": deadline_hours}
        trained = train(told=train_told, **machines, **which, **data)
        train_pod(trained, place, gpus="train_gpus").set_display_name("Train").set_caching_options(False)
        retried(trained, 2)  # goes on from its last checkpoint
        scored = evaluate(told=evaluate_told, **which, videos=videos, **data, model=trained.outputs["model"])
        train_pod(scored, place).set_display_name("Evaluate").set_caching_options(False)
        retried(scored, 1)


def prepared_data(told: Mapping[str, Any], *, store: Any, place: Place, fresh: bool = False) -> tuple[Data, Any]:
    """The data steps, from clips to checked tables and the split; told: stage -> what it is told, also `shards`.

    fresh: the videos are fetched again, whatever a cache remembers.

    Returns the folders of videos, frames, landmarks, actions, segments and checks, and that of the drawn clips.
    """
    rendered = render_clips(told=told["render_clips"])
    data_pod(rendered, place).set_display_name("Render clips")

    fetched = fetch_data(told=told["fetch_data"], rendered=rendered.outputs["rendered"])
    retried(data_pod(fetched, place), 3).set_display_name("Fetch data")
    if fresh:
        fetched.set_caching_options(False)
    videos = fetched.outputs["videos"]

    asked = {name: place[name] for name in ("volume", "data_cpu", "data_memory")}
    prepared = shards(told=told["shards"], store=store, videos=videos, **asked)
    prepared.set_display_name("Shards")

    # Each of the next steps takes its shards from the store, makes what is missing, and writes the index of all.
    extracted = extract_frames(told=told["extract_frames"], store=store, videos=videos)
    data_pod(extracted.after(prepared), place).set_display_name("Extract frames")
    frames = extracted.outputs["frames"]

    labelled = label_landmarks(told=told["label_landmarks"], store=store, videos=videos, frames=frames)
    data_pod(labelled, place).set_display_name("Label landmarks")
    landmarks = labelled.outputs["landmarks"]

    fitted = label_actions(told=told["label_actions"], store=store, videos=videos, frames=frames, landmarks=landmarks)
    data_pod(fitted, place).set_display_name("Label actions")
    actions = fitted.outputs["actions"]

    parted = label_segments(told=told["label_segments"], store=store, frames=frames, landmarks=landmarks)
    data_pod(parted, place).set_display_name("Label segments")
    segments = parted.outputs["segments"]

    data: Data = {
        "videos": videos,
        "frames": frames,
        "landmarks": landmarks,
        "actions": actions,
        "segments": segments,
    }
    checked = validate_data(told=told["validate_data"], **data)
    data_pod(checked, place).set_display_name("Validate data")
    return {**data, "validated": checked.outputs["validated"]}, rendered.outputs["rendered"]


def with_guide(told: Mapping[str, Any], data: Data, *, place: Place) -> Data:
    """The data with the network that losses look through."""
    read = {name: data[name] for name in ("frames", "landmarks", "actions", "validated")}
    guided = train_guide(told=told["train_guide"], **read)
    train_pod(guided, place).set_display_name("Train guide")
    return {**data, "guide": guided.outputs["guide"]}


def trained_branches(
    told: Mapping[str, Any], data: Data, *, results: Any, branch_list: Any, place: Place
) -> dsl.PipelineTask:
    """The loop over branches as one task, which a step can follow that has to run although a branch failed."""
    amounts = ("train_cpu", "train_memory", "accelerator", "gpus", "train_gpus", "score_gpus")
    names = ("volume", *amounts, "nodes", "deadline_hours")
    asked = {name: place[name] for name in (*names, "tolerations", "node_selector")}
    trained = branches(
        results=results,
        branches=branch_list,
        train_told=told["train"],
        evaluate_told=told["evaluate"],
        **data,
        **asked,
    )
    return trained.set_display_name("Branches")


def pushed_data(told: Mapping[str, Any], data: Data, *, rendered: Any, results: Any, place: Place) -> dsl.PipelineTask:
    """What the data steps made, brought to the DVC remote while branches train (docs/data_versions.md)."""
    pushed = push_data(told=told["push"], results=results, rendered=rendered, **data)
    retried(tools_pod(pushed, place), 3).set_display_name("Push data").set_caching_options(False)
    return pushed


def pushed_outputs(told: Mapping[str, Any], *, results: Any, place: Place) -> dsl.PipelineTask:
    """What lies in the results by now, brought to the DVC remote, and the lock fragment that says so."""
    pushed = push_outputs(told=told["push"], results=results)
    return retried(tools_pod(pushed, place), 3).set_caching_options(False)
