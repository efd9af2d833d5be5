"""From settings to what the Kubeflow Pipelines API is sent: a compiled pipeline, its arguments, where it comes from."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from reenact.cluster.arguments import RESULTS, STORE, pipeline_arguments, stages_of
from reenact.cluster.local_files import check_for_pods
from reenact.cluster.names import label_value
from reenact.cluster.pod import WORK
from reenact.cluster.settings import cluster_settings
from reenact.cluster.shares import check_shares
from reenact.cluster.specs import with_defaults, with_environment, with_images, with_labels, without_cache
from reenact.corpus.sources.dvc_remote import SCHEME
from reenact.corpus.sources.materialise import is_remote
from reenact.corpus.sources.names import redacted
from reenact.errors import SettingsError, StorageError
from reenact.hashing import hash_json
from reenact.params import Params, overlaid, parse
from reenact.steps import own_videos
from reenact.tracking.lineage import read_lineage

_NAME = 128  # characters of a run's name
LONGEST = 255  # characters of a description in the server's table, which refuses longer ones
# Bytes of an argument beyond which it goes into the specification: the server takes 20,000 for all arguments of a run,
# older ones 10,000, and what the stages are told is about as much.
_LONG = 200


@dataclass(frozen=True, kw_only=True)
class Submission:
    """All that a run is made of, but for the experiment's id, which only the server knows."""

    name: str
    description: str
    experiment: str
    service_account: str
    spec: Mapping[str, Any]  # both documents of the compiled file, as the API takes them
    arguments: Mapping[str, Any]
    fingerprint: str  # equal for what would run equally, whatever it is called and from whatever commit it is sent

    def body(self, experiment_id: str) -> dict[str, Any]:
        """A run as the API takes it; the specification itself is sent, so caching stays as it was compiled."""
        long = {name for name, value in self.arguments.items() if isinstance(value, str) and len(value) > _LONG}
        defaults = {name: value for name, value in self.arguments.items() if name in long}
        return {
            "display_name": self.name,
            "description": self.description[:LONGEST],
            "experiment_id": experiment_id,
            "service_account": self.service_account,
            "runtime_config": {"parameters": {key: value for key, value in self.arguments.items() if key not in long}},
            "pipeline_spec": {**self.spec, "pipeline_spec": with_defaults(self.spec["pipeline_spec"], defaults)},
        }


def prepare(
    params: Params,
    *,
    pipeline: str,
    compiled: Path,
    here: Path,
    name: str = "",
    trainer: str = "",
    allow_dirty: bool = False,
    recurring: bool = False,
) -> Submission:
    """Settings as a submission of a pipeline that lies compiled in `compiled`; nothing is sent.

    here: where relative paths of the settings start, and whose DVC knows the videos. name: of the run; "": made of
    pipeline, time and settings. trainer: who sends it, and so can't approve what it trains. allow_dirty: take the
    recorded version of data that has been changed since. recurring: for runs to come, with nothing of today's data.
    Raises SettingsError where a pod could not do what the settings say, StorageError where the file is missing.
    """
    stages_of(pipeline)  # a wrong name is said before anything else
    check_for_pods(params, here=here)
    check_shares(params)
    params = _pinned(params, here=here, allow_dirty=allow_dirty, recurring=recurring)
    cluster = cluster_settings(params)
    spec = read_compiled(compiled / f"{pipeline}.yaml", cluster.images.plain())
    # Where no version is told, equal arguments say nothing: a cache would never see what has come to the source.
    anew = recurring or not _versioned(own_videos(params.plain()))
    if anew:
        spec["pipeline_spec"] = without_cache(spec["pipeline_spec"], "fetch-data")
    arguments = pipeline_arguments(params, pipeline=pipeline, results=RESULTS, store=STORE, contents=not anew)
    check_arguments(spec, arguments, where=str(compiled / f"{pipeline}.yaml"))
    submission = Submission(
        name=name,
        description=_description(params, pipeline, trainer),
        experiment=cluster.experiment,
        service_account=cluster.service_account,
        spec=labelled(spec, _labels(params), trainer),
        arguments=arguments,
        fingerprint=hash_json([spec, arguments, cluster.service_account]),
    )
    if name:
        return replace(submission, name=checked_name(name))
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return replace(submission, name=f"{pipeline}-{stamp}-{submission.fingerprint[:6]}")


def checked_name(name: str) -> str:
    """A name of a run or a schedule; raises SettingsError."""
    if not re.fullmatch(r"[\w][\w .:+-]*", name) or len(name) > _NAME or name != name.strip():
        raise SettingsError(f'"{name}" is no name for a run: letters, digits, spaces and .:+-_, at most {_NAME}.')
    return name


def read_compiled(path: Path, images: Mapping[str, str]) -> dict[str, Any]:
    """A compiled pipeline as the API takes it, with these images (by role). Raises StorageError."""
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=_loader()))
    except FileNotFoundError:
        raise StorageError(f"{path}: there is no such file. Run `make compile`, inside the project.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        raise StorageError(f"{path}: can't be read as a compiled pipeline. Run `make compile`.") from None
    if not documents or not all(isinstance(one, dict) for one in documents) or "pipelineInfo" not in documents[0]:
        raise StorageError(f"{path}: is no compiled pipeline. Run `make compile`.")
    spec = with_images(documents[0], images)
    platforms: dict[str, Any] = {}
    for document in documents[1:]:
        platforms |= document
    return {"pipeline_spec": spec, "platform_spec": platforms}


def labelled(spec: Mapping[str, Any], labels: Mapping[str, str], trainer: str = "") -> dict[str, Any]:
    """What `read_compiled` gives, with labels on every pod, and whom trainings name."""
    main = with_environment(spec["pipeline_spec"], {"REENACT_TRAINER": trainer} if trainer else {})
    executors = main.get("deploymentSpec", {}).get("executors", {})
    return {"pipeline_spec": main, "platform_spec": with_labels(spec["platform_spec"], labels, executors=executors)}


def check_arguments(spec: Mapping[str, Any], arguments: Mapping[str, Any], *, where: str) -> None:
    """Raises StorageError unless the arguments are those that the compiled pipeline asks for."""
    asked = spec["pipeline_spec"].get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    needed = {name for name, told in asked.items() if "defaultValue" not in told and not told.get("isOptional")}
    wrong = sorted(needed - set(arguments)) + sorted(set(arguments) - set(asked))
    if wrong:
        raise StorageError(f"{where}: was compiled by another version ({', '.join(wrong)}). Run `make compile`.")


def _versioned(videos: str) -> bool:
    """Whether the address says what lies there; a bucket and the volume are for pods to look at: they may be out of
    reach from here, and change before the run gets there.
    """
    return not videos or videos.startswith(SCHEME)


def _pinned(params: Params, *, here: Path, allow_dirty: bool, recurring: bool) -> Params:
    """The same settings with videos that a pod can fetch: a folder of ours becomes its version in the DVC remote."""
    videos = own_videos(params.plain())
    if not videos or videos.startswith("s3://") or videos.startswith(f"{WORK}/"):
        return params
    if recurring:
        raise SettingsError(
            f"fetch_data.videos: {redacted(videos)} is one version of the data; every run of a schedule would see the "
            "same. Name where new videos arrive: s3://BUCKET/PREFIX."
        )
    from reenact.cluster.lock_versions import versioned_videos

    settings: Any = params.blocks["fetch_data"]
    videos = versioned_videos(videos, repo=here, allow_dirty=allow_dirty, settings=settings)
    if not is_remote(videos) or videos.startswith(("file:", "dvc:")):  # no image has git or DVC
        raise SettingsError(
            f"fetch_data.videos: pods can't reach {redacted(videos)}. Bring it to s3://, or track the folder here: "
            "dvc add, dvc push."
        )
    return parse(overlaid(params.plain(), {"fetch_data": {"videos": videos}}, where="fetch_data.videos"))


def _labels(params: Params) -> dict[str, str]:
    """Where a run comes from, on each of its pods."""
    from reenact.cluster.lock_versions import data_hash

    plain = params.plain()
    facts = {
        "settings": _settings_hash(plain),
        "commit": read_lineage().git_commit[:12],
        "data": data_hash(own_videos(plain)),
    }
    return {f"reenact.dev/{name}": label_value(value) for name, value in facts.items() if value}


def _settings_hash(plain: Mapping[str, Any]) -> str:
    return hash_json({block: values for block, values in plain.items() if block != "cluster"})[:12]


def _description(params: Params, pipeline: str, trainer: str) -> str:
    """Where a run comes from, for whoever looks at it later."""
    lineage = read_lineage()
    plain = params.plain()
    facts = [f"{pipeline}, profile {params.profile}"]
    if lineage.git_commit:
        changed = " with uncommitted changes" if lineage.git_dirty else ""
        facts.append(f"submitted from commit {lineage.git_commit[:12]}{changed}")
    videos = own_videos(plain)
    facts.append(f"videos {redacted(videos)}" if videos else "drawn clips")
    facts.append(f"settings {_settings_hash(plain)}")
    if trainer:
        facts.append(f"by {trainer}")
    return "; ".join(facts)


def _loader() -> type:
    """The quick reader where PyYAML has it: a compiled pipeline has thousands of lines."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
