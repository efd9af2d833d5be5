"""An image that installs one extra can run the stages of its role: nothing else is imported."""

import sys
from pathlib import Path

import pytest

from tiny_project import call, make_project

# Every module that none of the named extras brings is out of reach, as in an image that installed only those.
GUARD = '''
import re, sys
from importlib import metadata
from packaging.requirements import Requirement

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

def installed_with(extras):
    """Distributions that `pip install reenact[extras]` would bring."""
    todo, seen = [("reenact", extra) for extra in extras], set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate({"extra": one}) for one in ("", extra)):
                todo += [(plain(need.name), one) for one in ("", *need.extras)]
    return {name for name, _ in seen}

class Without:
    """A finder that does not know the modules of what is not installed."""

    def __init__(self, finder, absent):
        self.finder, self.absent = finder, absent

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.absent:
            return None
        return self.finder.find_spec(name, path, target)

def main(extras, commands):
    here = installed_with(extras.split(","))
    owners = metadata.packages_distributions().items()
    absent = {module for module, names in owners if not {plain(name) for name in names} & here}
    assert {"kfp", "dvc"} <= absent, "the guard guards nothing"
    sys.meta_path[:] = [Without(finder, absent) for finder in sys.meta_path]
    from reenact.cli import main as reenact

    for command in commands:
        sys.argv = ["reenact", *command.split()]
        try:
            reenact()
        except SystemExit as end:
            if end.code:
                print("failed:", command)
                raise

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
'''
ONE = "-S runtime.workers=1"
DATA = (
    "render-clips",
    "fetch-data",
    "extract-frames",
    "label-landmarks",
    "label-actions",
    "label-segments",
    "validate-data",
)
BRANCH = "--branch cgan-full-0"
ROLES = (
    ("data", tuple(f"{stage} {ONE}" for stage in DATA)),
    ("train,track", (f"train-guide {ONE}", f"train {BRANCH} {ONE}")),
    ("data,train,track", (f"evaluate {BRANCH} {ONE}",)),
    ("track", (f"compare {ONE}", f"register {ONE}")),
)


@pytest.mark.timeout(600)
def test_each_role_runs_with_its_extras_alone(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", {"fanout": {"variants": ["full"]}})
    (project / "guarded.py").write_text(GUARD)
    for extras, commands in ROLES:  # in the order of the chain: each role works on what the one before has written
        done = call(project, sys.executable, "guarded.py", extras, *commands, REENACT_DEBUG="1")
        assert done.returncode == 0, f"{extras}: {done.stdout[-4000:]}"
