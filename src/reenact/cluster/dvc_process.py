"""DVC at work in a process of its own, since it changes logging and locks of its process for good.

`python -m reenact.cluster.dvc_process QUESTION.json`: question and answer are JSON. `recorded` says what DVC's records
hold of a path and on which remote it lies; `adopt` writes entries of dvc.lock.
"""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.errors import SettingsError


def ask(task: str, repo: Path, **question: Any) -> dict[str, Any]:
    """The answer of a child process; `error` and its `kinds` where DVC raised. Raises SettingsError without DVC."""
    if importlib.util.find_spec("dvc") is None:
        raise SettingsError("DVC is not installed here. Install it (pip install 'dvc[s3]').")
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "DVC_NO_ANALYTICS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "question.json"), Path(folder, "answer.json")
        asked.write_text(json.dumps({"task": task, "repo": str(repo), "answer": str(answered), **question}))
        done = subprocess.run(
            [sys.executable, "-m", "reenact.cluster.dvc_process", str(asked)],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answered.exists():
            answer: dict[str, Any] = json.loads(answered.read_text())
            return answer
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return {"error": f"ended with code {done.returncode}: {last}", "kinds": []}


def main(question: Mapping[str, Any]) -> None:
    """Answer one question in the file it names."""
    from dvc.repo import Repo

    logging.disable(logging.CRITICAL)
    tasks = {"recorded": _recorded, "adopt": _adopt}
    try:
        with Repo(question["repo"]) as repo:
            answer = tasks[question["task"]](repo, question)
    except Exception as error:
        answer = {"error": " ".join(str(error).split()), "kinds": [kind.__name__ for kind in type(error).__mro__]}
    Path(question["answer"]).write_text(json.dumps(answer))


def _recorded(repo: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    """What is recorded of `path`: hash, file of the record, whether the folder differs, and its place on the remote."""
    (out,) = repo.find_outs_by_path(question["path"], strict=False)
    lock = repo.fs.join(repo.fs.parent(out.stage.path), "dvc.lock")
    record = out.stage.path if out.stage.path.endswith(".dvc") else lock
    answer = {
        "tracked": out.fs_path,
        "record": record,
        "md5": out.hash_info.value if out.hash_info else "",
        "state": out.workspace_status().get(str(out), "") if question["compare"] else "",
    }
    if not answer["md5"] or not question["remote"]:
        return answer
    try:
        remote = repo.cloud.get_remote(question["remote_name"] or out.remote)
        answer |= {"protocol": remote.fs.protocol, "url": str(remote.path), "remote_name": remote.name}
        odb = repo.cloud.get_remote_odb(remote.name, hash_name=out.hash_name)
    except Exception as error:
        return answer | {"no_remote": " ".join(str(error).split())}
    try:
        # Not `odb.exists`: it takes a store that refuses our keys for one that has nothing.
        odb.fs.info(odb.oid_to_path(out.hash_info.value))
        answer["pushed"] = True
    except FileNotFoundError:
        answer["pushed"] = False
    except Exception as error:
        answer["unreachable"] = " ".join(str(error).split())
    return answer


def _adopt(repo: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    """Write dvc.lock's entries of `stages`; hashes come from `folders`, records and, of code, the work tree.

    What is known by its hash need not lie here. Nothing is written unless every stage is complete.
    """
    stages = {stage.name: stage for stage in repo.index.stages if getattr(stage, "name", None)}
    made = {out.fs_path: out for stage in repo.index.stages for out in stage.outs}
    folders = {repo.fs.abspath(repo.fs.join(repo.root_dir, name)): facts for name, facts in question["folders"].items()}
    if unknown := [name for name in question["stages"] if name not in stages]:
        return {"error": f"dvc.yaml has no stage {unknown[0]}: are fanout and code here those of the run?", "kinds": []}
    chosen = [stages[name] for name in question["stages"]]
    for stage in chosen:
        for entry in (*stage.deps, *stage.outs):
            if facts := folders.get(entry.fs_path):
                _set_hash(entry, facts)
            elif entry in stage.outs:
                return {"error": f"{stage.name}: nothing is known of {entry.def_path}", "kinds": []}
            elif (origin := made.get(entry.fs_path)) is not None and origin.hash_info:
                entry.hash_info, entry.meta, entry.hash_name = origin.hash_info, origin.meta, origin.hash_name
            else:
                entry.save()
    with repo.lock:
        for stage in chosen:
            stage.dump(update_pipeline=False, update_lock=True)
    return {
        "written": [stage.name for stage in chosen],
        "uncached": [out.def_path for stage in chosen for out in stage.outs if not out.use_cache],
        "remotes": _remotes(repo),
        "endpoints": _endpoints(repo),
    }


def _remotes(repo: Any) -> dict[str, str]:
    """Addresses by name; "" is the default one."""
    urls = {name: str(facts.get("url", "")) for name, facts in repo.config["remote"].items()}
    default = repo.config["core"].get("remote")
    return {**urls, **({"": urls[default]} if default in urls else {})}


def _endpoints(repo: Any) -> dict[str, str]:
    """Where stores other than AWS are, by the address of the remote, as DVC was told."""
    remotes = [facts for facts in repo.config["remote"].values() if facts.get("endpointurl")]
    return {str(facts.get("url", "")).strip("/"): str(facts["endpointurl"]) for facts in remotes}


def _set_hash(entry: Any, facts: Mapping[str, Any]) -> None:
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta

    entry.hash_name = "md5"
    entry.hash_info = HashInfo("md5", facts["md5"])
    more = {"isdir": True, "nfiles": facts["nfiles"]} if facts["md5"].endswith(".dir") else {}
    entry.meta = Meta(size=facts["size"], **more)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
