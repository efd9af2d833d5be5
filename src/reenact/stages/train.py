"""Train one branch: a system in one variant with one seed."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reenact.backbones.settings import FeatureSettings
from reenact.config import Runtime
from reenact.stages.result import StageResult
from reenact.systems.branch import Branch
from reenact.tracking.connect import TrackingSettings
from reenact.training.settings import CheckpointSettings, LoopSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from reenact.backbones.features import Features
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.splits import Part
    from reenact.systems.protocol import System
    from reenact.training.checkpoints import Checkpoints
    from reenact.training.loop import Training
    from reenact.training.state import State
    from reenact.training.tracker import Tracker

_VALIDATION_SEED = 0  # the same pairs for every branch, whatever its own seed


class TrainSettings(LoopSettings):
    """Block `train` of params.yaml."""

    size: int = Field(default=64, ge=16)  # side of the pictures in pixels
    flip: bool = True  # mirror half of the samples
    share: float = Field(default=1.0, gt=0, le=1)  # of the training identities; a smaller one lies within a larger
    features: FeatureSettings = FeatureSettings()


def train(
    *,
    frames: Path,
    landmarks: Path,
    actions: Path,
    validated: Path,
    guide: Path,
    out: Path,
    branch: Branch,
    settings: TrainSettings,
    system_settings: Mapping[str, Any],
    checkpoints: CheckpointSettings,
    tracking: TrackingSettings,
    runtime: Runtime,
    segments: Path | None = None,
) -> StageResult:
    """Train `branch` and write `status.json`, the chosen weights, the history and pictures over time into `out`.

    `system_settings` is the block `systems.SYSTEM` of params.yaml. A training that finds itself sick ends as a status
    record `failed` with its reason, and the stage ends well; what happens to the process is raised. A restart goes on
    from its newest checkpoint; a finished training is taken as it is. Where `torchrun` started several processes, each
    trains on its share of every batch, and the first writes.
    """
    import torch

    from reenact.corpus.rights import read_rights
    from reenact.corpus.usable import clip_numbers
    from reenact.errors import SettingsError, TrainingFailed
    from reenact.hashing import hash_json
    from reenact.systems.catalogue import build_system, system_card
    from reenact.tracking.lineage import read_lineage
    from reenact.tracking.runs import branch_run, run_facts
    from reenact.training.alarms import verdicts
    from reenact.training.checkpoints import open_checkpoints
    from reenact.training.device import lie_channels_last, make_fabric
    from reenact.training.length import ended_by, samples_at
    from reenact.training.state import State
    from reenact.training.tracker import NullTracker

    began = time.monotonic()
    fabric = make_fabric(runtime)
    folders = {"frames": frames, "landmarks": landmarks, "actions": actions, "validated": validated}
    folders |= {"segments": segments} if segments else {}
    features, facts = _facts(branch, settings, system_settings, folders, guide, runtime, device=fabric.device.type)
    key = str(facts["key"])
    store = open_checkpoints(checkpoints, branch=branch.name, key=key)
    finished = fabric.broadcast(store.finished() if fabric.is_global_zero else None)
    state, reason, training = State(), "", None
    notes: tuple[str, ...] = ()
    params, tags = run_facts(facts)
    lineage = read_lineage(
        data_hash=str(facts["data"]), params_hash=hash_json(params), rights=read_rights(validated)["says"]
    )
    tags |= lineage.tags()
    run: Any = nullcontext(NullTracker())  # of several processes the first keeps record, and writes the files
    if fabric.is_global_zero:
        (out / "stage.json").unlink(missing_ok=True)  # what stands here is not finished until it is written again
        run = branch_run(tracking, key=key, name=branch.name, params=params, tags=tags)
    with run as tracker:
        try:
            corpus, parts, notes = _people(system_card(branch.system).labels, settings, folders)
            torch.manual_seed(branch.seed)
            system = build_system(
                branch.system, branch.variant, system_settings, size=settings.size, features=features,
                clips=len(clip_numbers(corpus, parts)),
            )  # fmt: skip
            if runtime.channels_last:
                lie_channels_last(system.networks.values())
            training, more = _training(
                system, branch, settings, corpus, parts, validated, guide, fabric=fabric, readers=runtime.workers,
                tracker=tracker, checkpoints=store,
            )  # fmt: skip
            notes += more
            if finished is None:
                try:
                    training.run()
                finally:
                    state = training.state
                if fabric.is_global_zero:
                    store.finish(state.step, state.record())
            else:
                state = State.read(finished)
        except (TrainingFailed, SettingsError) as error:
            reason = str(error)
        if fabric.is_global_zero:
            status = {
                **facts,
                "status": "failed" if reason else "trained",
                "reason": reason,
                "notes": list(notes),
                "alarms": [each.plain() for each in verdicts(state.history, settings, undrawn=state.undrawn)],
                "steps": state.step,
                "samples": samples_at(state.batches, state.step),
                "ended_by": ended_by(settings, state.step, state.seconds),
                "training_seconds": round(state.seconds, 3),
                "stage_seconds": round(time.monotonic() - began, 3),
                "processes": fabric.world_size,
                "taken_finished": finished is not None,
                "continued_from": training.continued_from if training else 0,
                "mlflow_run_id": tracker.run_id,
                "lineage": {**asdict(lineage), "mlflow_run_id": tracker.run_id},
            }
            _write(out, status, state, training, settings)
            # The profile is what a refresh holds later data against; an older corpus has none.
            _report(tracker, status, out, beside=(validated / "profile.json",))
    counts = {"samples": float(samples_at(state.batches, state.step)), "seconds": state.seconds}
    return StageResult(stage="train", counts=counts, notes=(reason,) if reason else notes)


def _facts(
    branch: Branch,
    settings: TrainSettings,
    system_settings: Mapping[str, Any],
    folders: Mapping[str, Path],
    guide: Path,
    runtime: Runtime,
    *,
    device: str,
) -> "tuple[Features | None, dict[str, Any]]":
    """The feature network, and all that decides the weights, with its hash as `key`."""
    import torch

    from reenact.backbones.features import load_features
    from reenact.systems.catalogue import system_card
    from reenact.systems.catalogue import system_settings as settings_of
    from reenact.training.keys import data_hash, training_key

    card = system_card(branch.system)
    features = load_features(guide, settings.features) if card.needs_features else None
    read = {kind: folder for kind, folder in folders.items() if kind in _reads(card.labels)}
    facts = {
        "branch": branch.name,
        **asdict(branch),
        "train": settings.plain(),
        "system_settings": settings_of(branch.system, branch.variant, system_settings).plain(),
        "features": None if features is None else {"name": features.name, "sha256": features.sha256},
        # these change float sums: equal bits need them equal
        "runtime": {
            "threads": runtime.threads,
            "device": device,
            "precision": runtime.precision,
            "channels_last": runtime.channels_last,
        },
        "torch": torch.__version__,
        "data": data_hash(read),
    }
    # alarms may end a training, they never change its weights: one that was stopped goes on where others stop it later
    deciding = {name: value for name, value in settings.plain().items() if name != "alarms"}
    return features, {**facts, "key": training_key(**{**facts, "train": deciding})}


def _reads(labels: Iterable[str]) -> set[str]:
    """Kinds of folders that a system with these labels learns from."""
    kinds = {"landmarks": "landmarks", "segments": "segments"}
    return {"frames", "landmarks", "validated", *(kinds.get(label, "actions") for label in labels)}


def _people(
    labels: Iterable[str], settings: TrainSettings, folders: Mapping[str, Path]
) -> "tuple[Corpus, list[Part], tuple[str, ...]]":
    """What a system with these labels reads of the corpus, the parts it is trained on, and a note on their share."""
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.splits import read_parts, share_of

    read = {kind: folder for kind, folder in folders.items() if kind in _reads(labels)}
    everybody = read_parts(folders["validated"], "train")
    parts = share_of(everybody, settings.share)
    kept, people = (len({part.identity for part in each}) for each in (parts, everybody))
    said = f"train.share {settings.share:g}: {kept} of {people} training identities."
    return Corpus(read.pop("frames"), **read), parts, (said,) if settings.share < 1 else ()


def _training(
    system: "System",
    branch: Branch,
    settings: TrainSettings,
    corpus: "Corpus",
    parts: "Sequence[Part]",
    validated: Path,
    guide: Path,
    *,
    fabric: "Fabric",
    readers: int,
    tracker: "Tracker",
    checkpoints: "Checkpoints",
) -> "tuple[Training, tuple[str, ...]]":
    """The training as it is to run, and sentences on clips that can't be used."""
    from reenact.corpus.sampling import Sampler
    from reenact.corpus.splits import read_parts
    from reenact.errors import BadInput
    from reenact.systems.protocol import own_shots, sources_of
    from reenact.training.faults import faults_of
    from reenact.training.looks import looks_at
    from reenact.training.loop import Training
    from reenact.training.pictures import probe_numbers
    from reenact.training.validation import Validation

    samplers = {
        phase.name: Sampler(
            corpus, parts, size=settings.size, seed=branch.seed, labels=system.labels, sources=sources_of(phase)[1],
            third=phase.third, pairs=phase.pairs, flip=settings.flip,
        )
        for phase in system.phases
    }  # fmt: skip
    notes = list(dict.fromkeys(note for sampler in samplers.values() for note in sampler.notes))
    watched = next(iter(samplers.values()))
    validation = looks = None
    if settings.validate_pairs:
        how: dict[str, Any] = {"pairs": settings.validate_pairs, "batch": settings.batch, "device": fabric.device}
        sample = partial(
            Sampler, corpus, read_parts(validated, "val"), size=settings.size, seed=_VALIDATION_SEED,
            labels=system.labels, sources=own_shots(system), flip=False,
        )  # fmt: skip
        try:
            frames = len(watched)
            watched = sample()
            validation = Validation(sampler=watched, **how)
            stop = settings.alarms.stop if branch.variant == "full" or settings.alarms.stop_ablations else ()
            looks = looks_at(
                validation, partial(sample, pairs="cross"), settings, reader=_reader(guide, fabric.device),
                frames=frames, stop=stop,
            )  # fmt: skip
        except BadInput as error:
            notes.append(f"validation: {error} The last weights are handed on.")
    probes = watched.batch(probe_numbers(watched, settings.probes), fabric.device) if settings.probes else None
    training = Training(
        system=system, branch=branch.name, seed=branch.seed, settings=settings, fabric=fabric, tracker=tracker,
        sampler=lambda phase: samplers[phase.name], checkpoints=checkpoints, validation=validation, looks=looks,
        probes=probes, faults=faults_of(branch.name), readers=readers,
    )  # fmt: skip
    return training, tuple(notes)


def _reader(guide: Path, device: Any) -> Any:
    """The guide as the alarms use it, whatever network stands behind the losses; None where there is none."""
    from reenact.backbones.features import load_reader

    if not (guide / "stage.json").exists():
        return None
    reader, _ = load_reader(guide)
    return reader.fuse().to(device)


def _write(
    out: Path, status: Mapping[str, Any], state: "State", training: "Training | None", settings: TrainSettings
) -> None:
    """The stage's files; a failed training leaves its history and pictures, but no weights."""
    import cv2
    import pandas as pd

    from reenact.atomic import atomic_file, write_json
    from reenact.corpus.shards import write_stage
    from reenact.corpus.tables import write_table
    from reenact.systems.store import save_system
    from reenact.training.length import samples_at
    from reenact.training.pictures import over_time
    from reenact.training.state import load_weights

    rows = [
        (step, samples_at(state.batches, step), seconds, name, value) for step, seconds, name, value in state.history
    ]
    history = pd.DataFrame(rows, columns=["step", "samples", "seconds", "name", "value"])
    for name in ("model.safetensors", "model.json", "samples.png"):
        (out / name).unlink(missing_ok=True)  # of an earlier training
    write_table(out / "history.parquet", history, kind="history")
    if training is not None and training.probes is not None and state.snapshots:
        picture = over_time(training.probes, state.snapshots)
        with atomic_file(out / "samples.png") as temporary:
            cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    chosen = None
    if training is not None and state.best is not None and status["status"] == "trained":
        chosen = {"step": state.best.step, "value": state.best.value, "rule": settings.choose.plain()}
        load_weights(training.system, state.best.weights)
        known = ("branch", "variant", "seed", "key", "data", "torch")
        save_system(out, training.system, {**{name: status[name] for name in known}, "chosen": chosen})
    write_json(out / "status.json", {**status, "chosen": chosen})
    write_stage(out, kind="model", branch=status["branch"], status=status["status"], key=status["key"])


def _report(tracker: Any, status: Mapping[str, Any], out: Path, *, beside: Sequence[Path] = ()) -> None:
    alarms = {f"alarm.{each['name']}": each["verdict"] for each in status["alarms"]}
    tracker.tags({"status": status["status"], "reason": status["reason"], "key": status["key"], **alarms})
    for path in (*(out / name for name in ("status.json", "samples.png", "history.parquet")), *beside):
        if path.exists():
            tracker.artifact(path, "train")
