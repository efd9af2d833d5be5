"""A run on a cluster becomes a commit here: its lock fragment as entries of dvc.lock, as if `dvc repro` had run."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reenact.atomic import atomic_folder, link_tree
from reenact.cluster.dvc_process import ask
from reenact.cluster.lock_fragment import FORMAT, KIND
from reenact.cluster.lock_versions import changes_of, data_hash, recorded_md5
from reenact.cluster.told import deciding, first_difference
from reenact.corpus.sources.dvc_remote import ObjectPlace
from reenact.corpus.sources.materialise import is_remote, materialise
from reenact.corpus.sources.names import redacted
from reenact.corpus.sources.pointer import POINTER_SUFFIXES, read_pointer
from reenact.corpus.sources.settings import SourceSettings
from reenact.errors import BadInput, NewerFormat, ReenactError, SettingsError, StorageError
from reenact.params import RENDERED, Params
from reenact.steps import STEPS, arguments

LOCK = "dvc.lock"


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What was taken over."""

    stages: tuple[str, ...]
    left_out: Mapping[str, str]  # branch -> why
    commit: str  # the new commit; "" where none was asked for
    notes: tuple[str, ...]


def read_fragment(path: Path) -> dict[str, Any]:
    """A run's `lock_fragment.json`. Raises BadInput, NewerFormat, SettingsError."""
    try:
        fragment = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}). Name a run's lock_fragment.json.") from None
    except ValueError:
        fragment = None
    if not isinstance(fragment, dict) or fragment.get("kind") != KIND:
        raise BadInput(f"{path}: this is no lock fragment. Name a run's lock_fragment.json.")
    if fragment["format"] > FORMAT:
        raise NewerFormat(f"{path}: written by a newer version (format {fragment['format']}, known {FORMAT}).")
    if not fragment["remote"]:
        raise SettingsError(
            f"{path}: this run brought nothing to a DVC remote. Set cluster.data_remote and submit it again."
        )
    if not fragment["stages"]:
        raise BadInput(f"{path}: no stage of this run was finished, so there is nothing to adopt.")
    return dict(fragment)


def adopt(path: Path, *, params: Params, repo: Path, commit: bool = True, allow_dirty: bool = False) -> Adopted:
    """Write dvc.lock's entries of a run's stages and commit them; the data itself need not be here.

    Code, settings and data here have to be those of the run. Outputs that DVC keeps no copies of (the comparison) are
    brought from the remote. allow_dirty: although dvc.lock has changes that are not committed.
    Raises SettingsError, naming the first stage that differs, and StorageError.
    """
    fragment = read_fragment(path)
    if not allow_dirty and changes_of(repo / LOCK, repo):
        raise SettingsError(f"{LOCK} has changes that are not committed. Commit them, or give --dirty to add to them.")
    _same_data(fragment, params, repo)
    _same_stages(fragment, params)
    before = (repo / LOCK).read_bytes() if (repo / LOCK).exists() else None
    answer = ask("adopt", repo, stages=list(fragment["stages"]), folders=fragment["folders"])
    if "error" in answer:
        _put_back(repo / LOCK, before)
        raise StorageError(f"{LOCK} was left as it was, DVC fails: {redacted(answer['error'])}")
    settings = _store(params, answer["endpoints"].get(fragment["remote"].strip("/"), ""))
    notes = [*_uncached(fragment, answer["uncached"], settings, repo), *_where_to_pull(fragment, answer["remotes"])]
    done = _commit(fragment, repo) if commit else ""
    return Adopted(stages=tuple(answer["written"]), left_out=fragment["left_out"], commit=done, notes=tuple(notes))


def _same_data(fragment: Mapping[str, Any], params: Params, repo: Path) -> None:
    """The videos here are those of the run, by hash where the run had them by hash."""
    there, here = str(fragment["videos"]), str(params.blocks["fetch_data"].plain()["videos"])
    if here.lower().endswith(POINTER_SUFFIXES):
        here = read_pointer(repo / here).source
    if {there, here} <= {"", RENDERED} or there == here:
        return
    if data_hash(there) and here not in ("", RENDERED) and not is_remote(here):
        recorded = recorded_md5(here, repo).removesuffix(".dir")
        if recorded == data_hash(there):
            return
        here = f"{here} ({recorded or 'not tracked by DVC'})"
    raise SettingsError(
        f"fetch_data.videos: the run had {redacted(there) or RENDERED}, here it is {redacted(here) or RENDERED}. "
        "Check out the commit that the run was submitted from."
    )


def _same_stages(fragment: Mapping[str, Any], params: Params) -> None:
    adopted = {name.partition("@")[0] for name in fragment["stages"]}
    for stage in (stage for stage in STEPS if stage in adopted):
        # Without a look at the videos, which need not be here.
        here = deciding(stage, arguments(params, stage, contents=False))
        difference = first_difference(fragment["told"][stage], here)
        if difference is None:
            continue
        name, there, value = difference
        if name == "code":
            raise SettingsError(
                f"{stage}: the code here is not the run's. Check out its commit: {fragment['git_commit'] or 'unknown'}."
            )
        name = name.replace("settings.", f"{stage}.", 1) if name.startswith("settings.") else name
        raise SettingsError(
            f"{stage}: {name} is {value!r} here, the run had {there!r}. Put the run's settings into params.yaml, or "
            "check out the commit that it was submitted from."
        )


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(before)


def _store(params: Params, endpoint: str) -> SourceSettings:
    """How to fetch; endpoint: of the remote as DVC knows it, which counts where nothing else names one."""
    plain = params.blocks["fetch_data"].plain()
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint and not plain["s3"]["endpoint"] and not named:
        plain["s3"]["endpoint"] = endpoint
    return SourceSettings.parse({name: plain[name] for name in SourceSettings.model_fields}, where="fetch_data")


def _uncached(fragment: Mapping[str, Any], outs: list[str], settings: SourceSettings, repo: Path) -> Iterator[str]:
    """Bring what `dvc pull` will not bring: outputs with `cache: false`. A store that fails is not asked again."""
    for number, out in enumerate(outs):
        place = ObjectPlace(remote=fragment["remote"].rstrip("/"), md5=fragment["folders"][out]["md5"])
        try:
            came = materialise(place.uri(), settings, repo / settings.cache)
        except ReenactError as error:
            missing = ", ".join(outs[number:])
            yield f"Not here: {missing}. Adopt again when this is mended, or `dvc repro` makes them again: {error}"
            return
        with atomic_folder(repo / out) as folder:
            link_tree(came.folder, folder)


def _where_to_pull(fragment: Mapping[str, Any], remotes: Mapping[str, str]) -> Iterator[str]:
    """Which remote holds the run's objects, where it is not the one that `dvc pull` asks."""
    wanted = fragment["remote"].strip("/")
    names = [name for name, url in remotes.items() if url.strip("/") == wanted]
    if not names:
        yield f"no DVC remote here is {wanted}: dvc remote add NAME {wanted}, then dvc pull -r NAME"
    elif "" not in names:
        yield f"the run's outputs are on another remote than the default one: dvc pull -r {names[0]}"


def _commit(fragment: Mapping[str, Any], repo: Path) -> str:
    if not changes_of(repo / LOCK, repo):
        return ""
    _git(repo, "add", "--", LOCK)
    _git(repo, "commit", "--quiet", "--message", message(fragment), "--", LOCK)
    return _git(repo, "rev-parse", "HEAD")


def message(fragment: Mapping[str, Any]) -> str:
    """Of the commit: what was adopted, and where it comes from."""
    branches = sorted({name.partition("@")[2] for name in fragment["stages"]} - {""})
    data = data_hash(fragment["videos"]) or fragment["videos"] or RENDERED
    lines = {
        "Run": fragment["kfp_run_id"],
        "Code": fragment["git_commit"] + (" with changes that were not committed" if fragment["git_dirty"] else ""),
        "Data": redacted(fragment["videos"]) or RENDERED,
        "Settings": fragment["params_hash"],
        "Image": fragment["image_digest"],
        "Remote": redacted(fragment["remote"]),
        "Branches": ", ".join(branches),
        "Left out": "; ".join(f"{branch}: {reason}" for branch, reason in sorted(fragment["left_out"].items())),
    }
    head = f"Adopt {len(fragment['stages'])} stages of a run on data {redacted(data)[:24]}"
    return "\n".join([head, "", *(f"{name}: {value}" for name, value in lines.items() if value)]) + "\n"


def _git(repo: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=repo, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise StorageError(f"{LOCK} is written, but git {words[0]} fails: {redacted(said)}. Commit it yourself.")
    return done.stdout.strip()
