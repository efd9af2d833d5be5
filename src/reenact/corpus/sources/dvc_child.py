"""DVC at work in a process of its own: `python -m reenact.corpus.sources.dvc_child QUESTION.json`.

The question and the answers are JSON, an answer a line: what lies under a path of a repository at a revision, and,
where a folder for objects is named, the objects one after another. DVC changes logging and locks of its process for
good.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from reenact.hashing import hash_json


def main(question: dict[str, Any]) -> None:
    """Answer with `listing`, then a `have` for each object that was missing; or with `error` and the kinds of it."""
    from dvc.api import DVCFileSystem

    logging.disable(logging.CRITICAL)
    try:
        remote = {"remote": question["remote"]} if question["remote"] else {}
        system = DVCFileSystem(question["repo"], rev=question["rev"], **remote)
        commit = system.repo.get_rev()
        files = _files(system, question["path"].strip("/"), commit)
        _answer(listing=files, commit=commit)
        if question["objects"]:
            _bring(system, files, Path(question["objects"]))
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        said = f"{error}: {error.__cause__}" if "SCMError" in kinds and error.__cause__ else str(error)
        _answer(error=said, kinds=kinds)


def _files(system: Any, root: str, commit: str) -> list[dict[str, Any]]:
    facts = system.info(root)
    found = system.find(root, detail=True) if facts["type"] == "directory" else {root: facts}
    files = []
    for path, one in sorted(found.items()):
        tracked = one.get("dvc_info") or {}
        entry = tracked.get("entry")
        md5 = tracked.get("md5") if entry is not None and getattr(entry.hash_info, "name", "") == "md5" else None
        # A file of git has no hash of DVC's: the commit it is read at names its contents.
        identity = md5 or hash_json([commit, path])[:40]
        name = path.removeprefix(root).strip("/") or path.rpartition("/")[2]
        files.append({"path": path, "name": name, "md5": md5, "id": identity, "size": one.get("size")})
    return files


def _bring(system: Any, files: list[dict[str, Any]], objects: Path) -> None:
    for identity, one in {one["id"]: one for one in files}.items():
        if not (objects / identity).exists():
            part = objects / f"{identity}.part"
            part.unlink(missing_ok=True)
            system.get_file(one["path"], str(part))
            _answer(have=identity, md5=one["md5"], name=one["name"])


def _answer(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
