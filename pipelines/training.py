"""The whole chain: videos to a registered model. A list of steps in the order in which data flows, no logic."""

from typing import Any

from components.compare import compare
from components.evaluate import evaluate
from components.extract_frames import extract_frames
from components.fetch_data import fetch_data
from components.gate import gate
from components.label_actions import label_actions
from components.label_landmarks import label_landmarks
from components.label_segments import label_segments
from components.list_shards import list_shards
from components.prepare_shard import prepare_shard
from components.register import register
from components.render_clips import render_clips
from components.train import train
from components.train_guide import train_guide
from components.validate_data import validate_data
from kfp import dsl


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
) -> None:
    data: dict[str, Any] = {
        "frames": frames,
        "landmarks": landmarks,
        "actions": actions,
        "segments": segments,
        "validated": validated,
        "guide": guide,
    }
    with dsl.ParallelFor(branches) as branch:
        place: dict[str, Any] = {
            "results": results,
            "system": branch.system,
            "variant": branch.variant,
            "seed": branch.seed,
        }
        trained = train(told=train_told, **place, **data)
        trained.set_display_name("Train").set_caching_options(False)
        trained.set_retry(num_retries=1, backoff_duration="1s", backoff_factor=2.0)
        scored = evaluate(told=evaluate_told, **place, videos=videos, **data, model=trained.outputs["model"])
        scored.set_display_name("Evaluate").set_caching_options(False)


@dsl.pipeline(name="shards", description="Crop and label group by group, side by side, into the store of shards.")
def shards(told: str, store: str, videos: dsl.Input[dsl.Dataset]) -> None:
    listed = list_shards(told=told, videos=videos)
    listed.set_display_name("List shards")
    with dsl.ParallelFor(listed.output) as group:
        prepared = prepare_shard(told=told, store=store, group=group, videos=videos)
        # The store knows what is done, whatever a cache remembers.
        prepared.set_display_name("Prepare shard").set_caching_options(False)
        prepared.set_retry(num_retries=2, backoff_duration="1s", backoff_factor=2.0)


@dsl.pipeline(
    name="training", description="Face videos to a compared, registered face-reenactment model with a verdict."
)
def training(
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
    register_told: str,
    gate_told: str,
) -> None:
    rendered = render_clips(told=render_clips_told)
    rendered.set_display_name("Render clips")

    fetched = fetch_data(told=fetch_data_told, rendered=rendered.outputs["rendered"])
    fetched.set_display_name("Fetch data")
    videos = fetched.outputs["videos"]

    prepared = shards(told=shards_told, store=store, videos=videos)
    prepared.set_display_name("Shards")

    # Each of the next steps takes its shards from the store, makes what is missing, and writes the index of all.
    extracted = extract_frames(told=extract_frames_told, store=store, videos=videos)
    extracted.after(prepared).set_display_name("Extract frames")
    frames = extracted.outputs["frames"]

    labelled = label_landmarks(told=label_landmarks_told, store=store, videos=videos, frames=frames)
    labelled.set_display_name("Label landmarks")
    landmarks = labelled.outputs["landmarks"]

    fitted = label_actions(told=label_actions_told, store=store, videos=videos, frames=frames, landmarks=landmarks)
    fitted.set_display_name("Label actions")
    actions = fitted.outputs["actions"]

    parted = label_segments(told=label_segments_told, store=store, frames=frames, landmarks=landmarks)
    parted.set_display_name("Label segments")
    segments = parted.outputs["segments"]

    checked = validate_data(
        told=validate_data_told, videos=videos, frames=frames, landmarks=landmarks, actions=actions, segments=segments
    )
    checked.set_display_name("Validate data")
    validated = checked.outputs["validated"]

    guided = train_guide(
        told=train_guide_told, frames=frames, landmarks=landmarks, actions=actions, validated=validated
    )
    guided.set_display_name("Train guide")
    guide = guided.outputs["guide"]

    trained = branches(
        results=results,
        branches=branch_list,
        train_told=train_told,
        evaluate_told=evaluate_told,
        videos=videos,
        frames=frames,
        landmarks=landmarks,
        actions=actions,
        segments=segments,
        validated=validated,
        guide=guide,
    )
    trained.set_display_name("Branches")

    compared = compare(told=compare_told, results=results)
    compared.after(trained).ignore_upstream_failure()
    compared.set_display_name("Compare").set_caching_options(False)

    registered = register(told=register_told, results=results, comparison=compared.outputs["comparison"])
    registered.set_display_name("Register").set_caching_options(False)

    gated = gate(
        told=gate_told,
        results=results,
        registered=registered.outputs["registered"],
        videos=videos,
        frames=frames,
        landmarks=landmarks,
        actions=actions,
        segments=segments,
        validated=validated,
        guide=guide,
    )
    gated.set_display_name("Gate").set_caching_options(False)
