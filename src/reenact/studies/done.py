"""What of a study is done: a small record per step, with the hash of everything the step was told."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.atomic import write_json
from reenact.hashing import hash_json
from reenact.params import Params
from reenact.steps import FOLDERS, STEPS, arguments
from reenact.studies.reading import Planned

CORPUS = ("render_clips", "fetch_data", "extract_frames", "label_landmarks", "label_actions", "label_segments",
          "validate_data", "train_guide")  # fmt: skip
ROW = ("train", "evaluate")


def row_folder(out: Path, row: str) -> Path:
    """Where a row's train/ and evaluate/ lie."""
    return out / "rows" / row


def stage_folder(out: Path, stage: str, row: str = "") -> Path:
    """A stage's own folder."""
    return (row_folder(out, row) if row else out) / FOLDERS[stage]


def told_of(params: Params, stage: str, row_system: str = "") -> dict[str, Any]:
    """A stage's arguments; a training is told of its own system alone, so that no other's settings make it old."""
    told = arguments(params, stage)
    if row_system and "systems" in told:
        told["systems"] = {row_system: told["systems"][row_system]}
    return told


def keys_of(planned: Planned, out: Path) -> dict[str, str]:
    """The key of every step by its name: STAGE of the corpus, STAGE ROW of a row."""
    keys: dict[str, str] = {}
    for stage in CORPUS:
        keys[stage] = hash_json([told_of(planned.corpus, stage), sorted(keys[made] for made in _before(stage, keys))])
    for row, params in planned.rows.items():
        before = [keys[stage] for stage in CORPUS]
        for stage in ROW:
            told = told_of(params, stage, planned.study.rows[row].system)
            # Where runs are logged changes no figure.
            told = {block: value for block, value in told.items() if block not in ("tracking", "checkpoints")}
            keys[f"{stage} {row}"] = hash_json([told, planned.branch(row).name, before])
            before = [*before, keys[f"{stage} {row}"]]
    return keys


def _before(stage: str, keys: Mapping[str, str]) -> list[str]:
    folders = {"videos" if made == "fetch_data" else FOLDERS[made]: made for made in keys if made != "render_clips"}
    inputs = [folders[name] for name in STEPS[stage].inputs if name in folders]
    return ["render_clips"] if stage == "fetch_data" else inputs


def is_done(out: Path, step: str, key: str) -> bool:
    """Whether a step ended under this key, and what it wrote is still there."""
    stage, _, row = step.partition(" ")
    return read_done(out, step).get("key") == key and (stage_folder(out, stage, row) / "stage.json").exists()


def read_done(out: Path, step: str) -> dict[str, Any]:
    """`key`, `seconds`, `machine` of a step that ended, or `reason` where it died; {} where there is no record."""
    try:
        return dict(json.loads(_record(out, step).read_text()))
    except (OSError, ValueError):
        return {}


def write_done(out: Path, step: str, **facts: Any) -> None:
    """Record how a step ended."""
    write_json(_record(out, step), {**facts, "machine": machine()})


def forget(out: Path, step: str) -> None:
    """Before a step runs again."""
    _record(out, step).unlink(missing_ok=True)


def machine() -> str:
    """The processor's name where the system tells it, and how many cores this process may use."""
    cores = usable_cores()
    return f"{_processor()}, {cores} core{'' if cores == 1 else 's'}"


def usable_cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), "") or platform.processor() or platform.machine()


def _record(out: Path, step: str) -> Path:
    return out / "done" / f"{step.replace(' ', '.')}.json"
