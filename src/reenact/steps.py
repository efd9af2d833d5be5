"""The steps as every caller runs them: what each reads, which settings it takes, which code it stands on.

A caller hands over folders and one JSON-able mapping of arguments (`arguments`); `run_step` reads the arguments into
typed settings and calls the stage. So command line, DVC and Kubeflow differ in nothing but where the folders lie.
"""

import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reenact.atomic import alone_in, storage_errors
from reenact.errors import ReenactError, SettingsError
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.params import RENDERED, Params, settings_class
from reenact.process import keep_freed_memory, prepare_process
from reenact.progress import event, say
from reenact.stages.result import StageResult

if TYPE_CHECKING:
    from reenact.systems.branch import Branch

_FACES = ("faces", "corpus")
_NETWORKS = (*_FACES, "nn", "losses")
# Of the frozen networks those that a loss may look through; the others judge, and nothing is trained anew for them.
_FEATURES = tuple(f"backbones/{name}.py" for name in ("features", "guide", "reader", "settings", "vgg", "weights"))
_PICTURES = ("label_review", "overlay", "page", "sparklines", "thumbnails", "validation")
# What the pages of checks and labels are made by.
_PAGE = ("evaluation/data_facts.py", "evaluation/profile.py", *(f"reports/{name}.py" for name in _PICTURES))
_EXAM = ("stages/evaluate.py", "stages/exam.py")
_SCORING = (*_NETWORKS, "backbones", "alarms", "labelling", "rendering", "systems", "evaluation", "training/device.py")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage as callers see it."""

    inputs: tuple[str, ...]  # folders it reads, by the name of its argument
    blocks: tuple[str, ...]  # settings it takes beside its own block
    code: tuple[str, ...]  # folders and modules of the package it stands on, beside its own module
    branch: bool = False  # once for every branch
    sharded: bool = False  # works shard by shard, and takes those that a store has


STEPS: Mapping[str, Step] = MappingProxyType(
    {
        "render_clips": Step(inputs=(), blocks=("runtime",), code=(*_FACES, "rendering")),
        "fetch_data": Step(inputs=("videos",), blocks=(), code=("faces/actions.py", "corpus")),
        "extract_frames": Step(
            inputs=("videos",), blocks=("runtime",), code=(*_FACES, "labelling", "stages/fetch_data.py"), sharded=True
        ),
        "label_landmarks": Step(
            inputs=("videos", "frames"), blocks=("runtime",), code=(*_FACES, "labelling"), sharded=True
        ),
        "label_actions": Step(
            inputs=("videos", "frames", "landmarks"), blocks=("runtime",), code=(*_FACES, "labelling"), sharded=True
        ),
        "label_segments": Step(
            inputs=("frames", "landmarks"), blocks=("runtime",), code=(*_FACES, "labelling"), sharded=True
        ),
        "validate_data": Step(
            inputs=("videos", "frames", "landmarks", "actions", "segments"),
            blocks=(),
            code=(*_FACES, "labelling", *_PAGE),
        ),
        "drift": Step(
            inputs=("validated",),
            blocks=("tracking", "registry"),
            code=(*_FACES, "labelling", "alarms", "systems/branch.py", "evaluation", "reports", "review", "tracking"),
        ),
        "rescore": Step(
            inputs=("drift", "videos", "frames", "landmarks", "actions", "segments", "validated"),
            blocks=("evaluate", "tracking", "registry", "runtime"),
            code=(*_SCORING, "reports", "review", *_EXAM, "stages/drift.py", "tracking"),
        ),
        "train_guide": Step(
            inputs=("frames", "landmarks", "actions", "validated"),
            blocks=("runtime",),
            code=(*_NETWORKS, *_FEATURES, "training/device.py"),
        ),
        "train": Step(
            inputs=("frames", "landmarks", "actions", "segments", "validated", "guide"),
            blocks=("checkpoints", "tracking", "runtime"),
            code=(*_NETWORKS, *_FEATURES, "alarms", "systems", "training"),
            branch=True,
        ),
        "evaluate": Step(
            inputs=("videos", "frames", "landmarks", "actions", "segments", "validated", "guide", "model"),
            blocks=("tracking", "runtime"),
            code=_SCORING,
            branch=True,
        ),
        "compare": Step(
            inputs=("branches",),
            blocks=("tracking",),
            code=(*_FACES, "alarms", "systems/branch.py", "evaluation", "reports"),
        ),
        "register": Step(
            inputs=("comparison", "branches"), blocks=("tracking", "registry"), code=(*_FACES, "systems", "tracking")
        ),
        "gate": Step(
            inputs=("registered", "videos", "frames", "landmarks", "actions", "segments", "validated", "guide"),
            blocks=("evaluate", "tracking", "registry", "runtime"),
            code=(*_SCORING, "reports", "review", *_EXAM, "tracking"),
        ),
    }
)

# Where a stage's folder lies below the root; those of a branch below its own folder.
FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "render_clips": "rendered",
        "fetch_data": "videos",
        "extract_frames": "frames",
        "label_landmarks": "landmarks",
        "label_actions": "actions",
        "label_segments": "segments",
        "validate_data": "validated",
        "drift": "drift",
        "rescore": "rescored",
        "train_guide": "guide",
        "train": "train",
        "evaluate": "evaluate",
        "compare": "comparison",
        "register": "registered",
        "gate": "gate",
    }
)


def code_hash(stage: str) -> str:
    """sha256 of the code a stage stands on: a part of every cache key."""
    return hash_code(*STEPS[stage].code, f"stages/{stage}.py")


def arguments(params: Params, stage: str, *, contents: bool = True) -> dict[str, Any]:
    """All a stage is told beside its folders, as plain JSON types; equal arguments and inputs give equal outputs.

    contents: also what lies in the source of the videos now; not for runs to come, which read what they find then.
    """
    plain = params.plain()
    told: dict[str, Any] = {"settings": plain[stage], "code": code_hash(stage)}
    told |= {block: plain[block] for block in STEPS[stage].blocks}
    if stage == "render_clips":
        # Nobody looks at drawn clips where people bring their own videos.
        told["settings"] |= {"identities": 0} if own_videos(plain) else {}
    if stage == "fetch_data" and contents and own_videos(plain):
        told["contents"] = _contents(plain["fetch_data"])
    if stage == "label_segments":
        told |= _segments_told(params, plain[stage])
    if stage == "train":
        told["systems"] = plain["systems"]
    if stage in ("evaluate", "gate", "rescore") and (pairs := Path(plain["evaluate"]["pairs"])).is_file():
        told["pairs"] = hash_file(pairs)  # an edited list is a new argument, too
    if stage == "compare":
        scored = (Path(folder) / "metrics.json" for folder in plain[stage]["predictions"])
        told["predictions"] = [hash_file(record) for record in scored if record.is_file()]
        told["expected"] = list(params.branches())
        # How pods are asked for makes no other result.
        told["params_hash"] = hash_json({name: block for name, block in plain.items() if name != "cluster"})
    # The prepared process needs its threads even where the stage itself does not ask for the runtime block.
    told["threads"] = params.runtime.threads
    return told


def _segments_told(params: Params, block: Mapping[str, Any]) -> dict[str, Any]:
    """Whether anybody needs segments; and the user's masks, hashed: changed ones are new arguments."""
    from reenact.corpus.sources.local import local_version
    from reenact.systems.catalogue import SYSTEMS

    asking = [name for name in params.fanout.systems if "segments" in SYSTEMS[name].labels]
    if asking and block["make"] == "never":
        raise SettingsError(f"label_segments.make: never, but {asking[0]} learns from segments. Set it to auto.")
    needed = bool(asking) if block["make"] == "auto" else block["make"] == "always"
    masks = needed and block["backend"] == "files" and Path(block["masks"]["folder"] or "-").is_dir()
    return {"needed": needed, **({"masks": local_version(Path(block["masks"]["folder"]))} if masks else {})}


def own_videos(plain: Mapping[str, Any]) -> str:
    """The folder of the user's own videos, "" where the clips are rendered."""
    videos = str(plain["fetch_data"]["videos"])
    return "" if videos in ("", RENDERED) else videos


def _contents(block: Mapping[str, Any]) -> str:
    """Source and list of exclusions, hashed: new videos are new arguments, so that no cache hides them."""
    from reenact.corpus.sources.materialise import version_of

    settings: Any = settings_class("fetch_data").parse(block, where="fetch_data")
    listed = Path(settings.exclude) if settings.exclude else None
    return hash_json([version_of(settings.videos, settings), hash_file(listed) if listed and listed.is_file() else ""])


def input_folders(stage: str, root: Path, branch: Path | None = None) -> dict[str, Path]:
    """Where a stage finds its inputs below `root`; those of one branch in the branch's own folder."""
    folders = {name: root / name for name in STEPS[stage].inputs}
    if stage == "fetch_data":
        folders["videos"] = root / FOLDERS["render_clips"]
    if branch and "model" in folders:
        folders["model"] = branch / FOLDERS["train"]
    return folders


def run_step(
    stage: str,
    *,
    out: Path,
    told: Mapping[str, Any],
    folders: Mapping[str, Path],
    branch: Mapping[str, Any] | None = None,
    store: Path | None = None,
) -> StageResult:
    """Call a stage on its folders with the arguments made by `arguments`.

    store: for stages that work shard by shard, the folder of shards that outlives theirs.
    Reports start and end to whoever watches; a stage's own errors pass through.
    """
    from reenact.systems.branch import Branch

    chosen = Branch.of(branch) if branch else None
    name = f"{stage} {chosen.name}" if chosen else stage
    os.environ["REENACT_STEP"] = name
    event("step", name=name, state="running")
    start = time.monotonic()
    try:
        # Unfinished shards of an earlier process are cleared away, so there must be no other one.
        with alone_in(out) if STEPS[stage].sharded else nullcontext():
            result = call_stage(stage, out=out, told=told, folders=folders, chosen=chosen, store=store)
    except BaseException as error:
        reason = str(error) if isinstance(error, ReenactError) else f"{type(error).__name__}: {error}"
        code = error.exit_code if isinstance(error, ReenactError) else 1
        event("step", name=name, state="failed", seconds=time.monotonic() - start, reason=reason, code=code)
        raise
    event("step", name=name, state="done", seconds=time.monotonic() - start, counts=result.counts)
    for note in result.notes:
        say(f"{name}: {note}")
    return result


def call_stage(
    stage: str,
    *,
    out: Path,
    told: Mapping[str, Any],
    folders: Mapping[str, Path],
    chosen: "Branch | None" = None,
    store: Path | None = None,
    **more: Any,
) -> StageResult:
    """Call a stage with what it was told, its settings typed; `more` are arguments that the stage alone has."""
    prepare_process(int(told["threads"]))
    keep_freed_memory()
    with storage_errors():
        given = _given(stage, told, folders, chosen)
        if store is not None and STEPS[stage].sharded:
            given["store"] = store / stage
        result: StageResult = _stage(stage)(out=out, **given, **more)
    return result


def _given(stage: str, told: Mapping[str, Any], folders: Mapping[str, Path], chosen: "Branch | None") -> dict[str, Any]:
    """The stage's own arguments: folders, typed settings, branch."""
    from reenact.systems.branch import Branch

    given: dict[str, Any] = dict(folders)
    if stage == "fetch_data" and (videos := own_videos({"fetch_data": told["settings"]})):
        given["videos"] = videos
    given["settings"] = settings_class(stage).parse(told["settings"], where=stage)
    for block in STEPS[stage].blocks:
        given[block] = settings_class(block).parse(told[block], where=block)
    if stage == "label_segments":
        given["needed"] = told["needed"]
    if chosen:
        given["branch"] = chosen
    if stage == "train" and chosen:
        given["system_settings"] = told["systems"][chosen.system]
    if stage == "compare":
        given["context"] = {"lineage": _lineage(told["params_hash"])}
        given["expected"] = [Branch.of(item) for item in told["expected"]]
    return given


def _stage(stage: str) -> Any:
    if stage not in STEPS:
        raise SettingsError(f"{stage}: there is no such stage.")
    return getattr(import_module(f"reenact.stages.{stage}"), stage)


def _lineage(params_hash: str) -> dict[str, Any]:
    """Where the comparison comes from, for its report."""
    from reenact.tracking.lineage import read_lineage

    return asdict(read_lineage(params_hash=params_hash))
