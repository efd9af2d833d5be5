"""What a run made, brought to the DVC remote, and the fragment of dvc.lock that says so.

`push_data` brings the folders of the data stages while branches train, `push_outputs` what lies in the results folder
at the end. A pod has no git and no dvc.yaml: the fragment (`lock_fragment.json`, kind `lock fragment`) names stages and
folders as dvc.yaml does, and `reenact data adopt` makes entries of dvc.lock of it.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reenact.atomic import write_json
from reenact.cluster.dvc_objects import FolderObjects, folder_objects, push_objects
from reenact.cluster.settings import cluster_settings
from reenact.cluster.told import deciding, told_hash
from reenact.corpus.sources.dvc_remote import of_list
from reenact.corpus.sources.settings import S3Settings
from reenact.errors import StorageError
from reenact.params import Params
from reenact.progress import say
from reenact.steps import FOLDERS, STEPS, code_hash
from reenact.systems.branch import Branch
from reenact.tracking.lineage import read_lineage

FORMAT = 1
KIND = "lock fragment"
FRAGMENT = "lock_fragment.json"
OUT = "out"  # where dvc.yaml has the folders
_PUSHED = "pushed/data.json"  # below the results: what `push_data` leaves for `push_outputs`
_AFTER_BRANCHES = ("compare", "register", "gate")


def push_told(params: Params, told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the two steps are told: the remote, and of each stage what decides its result. told: as the stages are."""
    plain = params.plain()
    return {
        "remote": cluster_settings(params).data_remote,
        "s3": plain["fetch_data"]["s3"],
        "videos": plain["fetch_data"]["videos"],
        "params_hash": told["compare"]["params_hash"],
        "branches": list(params.branches()),
        "told": {stage: deciding(stage, each) for stage, each in told.items()},
    }


def push_data(told: Mapping[str, Any], folders: Mapping[str, Path], results: Path) -> dict[str, Any]:
    """Bring the folders of stages without branches to the remote; folders: stage -> its folder.

    Returns their facts, which lie in `results` as well. Without a remote nothing is done. Raises StorageError.
    """
    if not told["remote"]:
        return {}
    found = {_out(stage): folder_objects(folder) for stage, folder in folders.items()}
    pushed = _push(told, found)
    write_json(results / _PUSHED, pushed)
    return pushed


def push_outputs(told: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """Bring what the branches and the steps after them left in `results` to the remote, and write the fragment there.

    A branch that is sick or missing is left out with its reason, and the comparison with it. Raises StorageError.
    """
    fragment: dict[str, Any] = {"format": FORMAT, "kind": KIND, **_lineage(told), "stages": {}, "left_out": {}}
    if told["remote"]:
        if not (results / _PUSHED).exists():
            raise StorageError(
                f"{results / _PUSHED}: the data that these results stand on was not brought to {told['remote']}, so "
                "nobody could adopt them. See the step push_data."
            )
        data = json.loads((results / _PUSHED).read_text())
        found, left_out = _finished(told, results)
        fragment["folders"] = {**data, **_push(told, found)}
        if whole := _branches(found):
            fragment["folders"][f"{OUT}/branches"] = whole
        fragment["stages"] = dict(_stages(told, fragment["folders"]))
        fragment["left_out"] = left_out
        fragment["told"] = {stage: _ran(stage, each) for stage, each in told["told"].items()}
    else:
        say("nothing is brought to a DVC remote: cluster.data_remote is empty")
    write_json(results / FRAGMENT, fragment)
    return fragment


def _names(told: Mapping[str, Any]) -> list[str]:
    """Of the branches, as in dvc.yaml's names of stages."""
    return [Branch.of(branch).name for branch in told["branches"]]


def _out(stage: str, branch: str = "") -> str:
    return f"{OUT}/branches/{branch}/{FOLDERS[stage]}" if branch else f"{OUT}/{FOLDERS[stage]}"


def _push(told: Mapping[str, Any], found: Mapping[str, FolderObjects]) -> dict[str, Any]:
    settings = S3Settings.parse(told["s3"], where="fetch_data.s3")
    for name, objects in found.items():
        new = push_objects(objects, told["remote"], settings)
        say(f"{name}: {objects.nfiles} files, {new} new objects to {told['remote']}")
    return {name: objects.facts() for name, objects in found.items()}


def _finished(told: Mapping[str, Any], results: Path) -> tuple[dict[str, FolderObjects], dict[str, str]]:
    """Objects of the finished folders by their names in dvc.yaml, and why others are left out."""
    found: dict[str, FolderObjects] = {}
    left_out: dict[str, str] = {}
    for branch in _names(told):
        folder = results / "branches" / branch
        if reason := _unfit(folder):
            left_out[branch] = reason
            continue
        found |= {_out(stage, branch): folder_objects(folder / FOLDERS[stage]) for stage in ("train", "evaluate")}
    for stage in _AFTER_BRANCHES:
        if left_out or not (results / FOLDERS[stage] / "stage.json").exists():
            break  # what stands on an unfinished stage is not adopted either
        found[_out(stage)] = folder_objects(results / FOLDERS[stage])
    return found, left_out


def _unfit(folder: Path) -> str:
    """Why a branch is not adopted, so that `dvc repro` trains it again; "" where it is whole."""
    try:
        status = json.loads((folder / "train" / "status.json").read_text())
    except (OSError, ValueError):
        return "there is no record of a finished training"
    if status.get("status") != "trained":
        return str(status.get("reason") or "the training failed")
    return "" if (folder / "evaluate" / "stage.json").exists() else "it was not scored"


def _branches(found: Mapping[str, FolderObjects]) -> dict[str, Any]:
    """Facts of the folder of all branches, which is nobody's output but what `compare` reads."""
    root = f"{OUT}/branches/"
    entries: list[dict[str, str]] = []
    for name, objects in found.items():
        if name.startswith(root):
            below = name.removeprefix(root)
            entries += [{**one, "relpath": f"{below}/{one['relpath']}"} for one in json.loads(objects.listing)]
    size = sum(objects.size for name, objects in found.items() if name.startswith(root))
    return {"md5": of_list(entries)[0], "size": size, "nfiles": len(entries)} if entries else {}


def _stages(told: Mapping[str, Any], folders: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """dvc.yaml's stages whose folder is known: hash of what each was told, and its output."""
    for stage in told["told"]:
        hashed = told_hash(_ran(stage, told["told"][stage]))
        for branch in _names(told) if STEPS[stage].branch else [""]:
            out = _out(stage, branch)
            if out in folders:
                name = f"{stage}@{branch}" if branch else stage
                yield name, {"told": hashed, "outs": {out: folders[out]}}


def _ran(stage: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """With the code that is here: that of the image, whatever the driver had."""
    return {**told, "code": code_hash(stage)}


def _lineage(told: Mapping[str, Any]) -> dict[str, Any]:
    lineage = read_lineage(params_hash=told["params_hash"])
    return {
        "remote": told["remote"],
        "videos": told["videos"],
        "git_commit": lineage.git_commit,
        "git_dirty": lineage.git_dirty,
        "kfp_run_id": lineage.kfp_run_id,
        "image_digest": lineage.image_digest,
        "params_hash": told["params_hash"],
    }
