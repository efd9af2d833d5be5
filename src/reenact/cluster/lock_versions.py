"""Which data a run on a cluster takes: the hash that DVC recorded here, as an address that a pod can fetch by."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.cluster.dvc_process import ask
from reenact.corpus.sources.dvc_remote import SCHEME, ObjectPlace, parse_dvc_remote
from reenact.corpus.sources.materialise import is_remote, version_of
from reenact.corpus.sources.names import redacted
from reenact.corpus.sources.pointer import POINTER_SUFFIXES, read_pointer
from reenact.corpus.sources.settings import SourceSettings
from reenact.errors import BadInput, SettingsError, StorageError
from reenact.params import RENDERED
from reenact.progress import say

_SHORT = 12  # hex digits of a hash in sentences


def versioned_videos(
    videos: str,
    *,
    repo: Path,
    allow_dirty: bool = False,
    remote: str = "",
    settings: SourceSettings | None = None,
) -> str:
    """`fetch_data.videos` as pods can have it: an address, with a folder of this disk as `dvc+s3://...?md5=HASH`.

    videos: as in params.yaml, a path seen from `repo`. A folder or file that DVC tracks here becomes its recorded hash
    on the DVC remote (`remote`; "": the default one); addresses and rendered clips stay as they are.
    allow_dirty: take the recorded hash although the folder, or the record since the last commit, has changed.
    Raises SettingsError (2) where the data has no version, BadInput for what is not tracked, StorageError for what
    was not pushed.
    """
    if videos in ("", RENDERED):
        return videos
    if videos.lower().endswith(POINTER_SUFFIXES):
        return _pointed(videos, repo=repo, allow_dirty=allow_dirty, remote=remote, settings=settings)
    if is_remote(videos) and not videos.startswith("file://"):
        return videos
    path = repo / videos.removeprefix("file://")
    answer = ask("recorded", repo, path=str(path.resolve()), remote=True, remote_name=remote, compare=not allow_dirty)
    _refuse_untracked(answer, path, videos)
    if not allow_dirty:
        _refuse_dirty(answer, videos, repo)
    return _address(answer, videos)


def data_hash(address: str) -> str:
    """The md5 by which DVC knows the data, 32 digits, which a label can hold; "" where an address doesn't say it."""
    return parse_dvc_remote(address).md5.removesuffix(".dir") if address.startswith(SCHEME) else ""


def recorded_md5(videos: str, repo: Path) -> str:
    """What DVC recorded of a folder; "" where it tracks none. Nothing is looked at but the records."""
    answer = ask("recorded", repo, path=str((repo / videos).resolve()), remote=False, remote_name="", compare=False)
    return str(answer.get("md5", ""))


def _pointed(videos: str, *, repo: Path, settings: SourceSettings | None, **more: Any) -> str:
    """What a small file names: in a pod there is no such file, so its version is checked here."""
    pointer = read_pointer(repo / videos)
    if pointer.version and pointer.version != version_of(pointer.source, settings or SourceSettings()):
        raise StorageError(
            f"{videos}: {redacted(pointer.source)} has changed since its version was noted. To use what is there now: "
            f"reenact data pin {videos}"
        )
    return versioned_videos(pointer.source, repo=repo, settings=settings, **more)


def _refuse_untracked(answer: Mapping[str, Any], path: Path, videos: str) -> None:
    kinds = set(answer.get("kinds", ()))
    add = f"Run dvc add {videos} and dvc push, or name an address (s3://, dvc+s3://)."
    if kinds & {"NotDvcRepoError", "OutputNotFoundError"} and not path.exists():
        raise BadInput(f"fetch_data.videos: {videos}: there is no such folder here, and DVC tracks none of that name.")
    if "NotDvcRepoError" in kinds:
        raise BadInput(
            f"fetch_data.videos: {videos}: there is no DVC repository here, and pods can't see this disk. {add}"
        )
    if "OutputNotFoundError" in kinds:
        raise BadInput(f"fetch_data.videos: DVC doesn't track {videos}, and pods can't see this disk. {add}")
    if "error" in answer:
        raise StorageError(f"fetch_data.videos: {videos}: DVC fails: {redacted(answer['error'])}")
    if Path(answer["tracked"]) != path.resolve():
        raise BadInput(
            f"fetch_data.videos: DVC tracks {answer['tracked']} as a whole, {videos} is a part of it. Name the whole, "
            "or track the part by itself."
        )
    if not answer["md5"]:
        raise BadInput(
            f"fetch_data.videos: {videos} is an output of dvc.yaml that was never made. Run dvc repro and dvc push."
        )


def _refuse_dirty(answer: Mapping[str, Any], videos: str, repo: Path) -> None:
    record = Path(answer["record"])
    told = "or give --dirty to take what was recorded"
    if answer["state"] in ("modified", "new"):
        again = f"dvc add {videos}" if record.suffix == ".dvc" else "dvc repro"
        raise SettingsError(
            f"fetch_data.videos: {videos} is not what {record.name} recorded ({answer['md5'][:_SHORT]}). Run {again}, "
            f"commit {record.name} and dvc push, {told}."
        )
    if changes_of(record, repo):
        raise SettingsError(
            f"fetch_data.videos: {record.name} has changes that are not committed: no commit leads to this data. "
            f"Commit it, {told}."
        )


def changes_of(file: Path, repo: Path) -> str:
    """What git says of a file that is not committed as it stands; "" without git, too."""
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain", "--", str(file)],
            cwd=repo, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _address(answer: Mapping[str, Any], videos: str) -> str:
    if "no_remote" in answer:
        raise SettingsError(
            f"fetch_data.videos: {videos}: no DVC remote that pods can fetch from by hash ({answer['no_remote']}). "
            "Set one: dvc remote add -d NAME s3://BUCKET/PREFIX"
        )
    if answer["protocol"] not in ("s3", ["s3", "s3a"], "s3a"):
        raise SettingsError(
            f"fetch_data.videos: the DVC remote {answer['remote_name']} is not on S3 ({redacted(answer['url'])}), and "
            "pods fetch from S3 alone. Set one: dvc remote add -d NAME s3://BUCKET/PREFIX; then dvc push."
        )
    if answer.get("pushed") is False:
        raise StorageError(
            f"fetch_data.videos: {videos} ({answer['md5'][:_SHORT]}) is not on the DVC remote {answer['remote_name']}. "
            "Run dvc push."
        )
    if "unreachable" in answer:
        say(f"{videos}: whether it was pushed can't be seen from here ({redacted(answer['unreachable'])})")
    name = "" if answer["md5"].endswith(".dir") else Path(answer["tracked"]).name
    return ObjectPlace(remote=f"s3://{answer['url'].strip('/')}", md5=answer["md5"], name=name).uri()
