"""Rules that the images are held to, read from their recipe; and what `docker/build.py` tells the builder."""

import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ROLES = ("data", "train", "tools")


class Line(NamedTuple):
    """One instruction of the recipe."""

    word: str
    rest: str


class Stage(NamedTuple):
    """A FROM and what follows it."""

    base: str
    name: str
    lines: tuple[Line, ...]

    def told(self, word: str) -> list[str]:
        return [line.rest for line in self.lines if line.word == word]


def instructions(text: str) -> Iterator[Line]:
    """Continued lines are one; comments are none."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in plain.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield Line(word.upper(), " ".join(rest.split()))


def read_stages() -> dict[str, Stage]:
    stages: dict[str, Stage] = {}
    for line in instructions((ROOT / "docker" / "Dockerfile").read_text()):
        if line.word == "FROM":
            base, _, name = line.rest.partition(" AS ")
            current = stages[name] = Stage(base, name, ())
        elif stages:
            current = stages[current.name] = current._replace(lines=(*current.lines, line))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """A stage and those it stands on, the first one first."""
    found = [stages[name]]
    while found[0].base in stages:
        found.insert(0, stages[found[0].base])
    return found


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages()


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_images", ROOT / "docker" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("role", ROLES)
def test_final_images_run_as_a_user_without_rights(stages: dict[str, Stage], role: str) -> None:
    users = [user for stage in lineage(stages, role) for user in stage.told("USER")]
    assert users[-1] == "1000:1000"
    assert stages[role].lines[-1].word == "USER", "what stands behind USER could take it back"


@pytest.mark.parametrize("role", ROLES)
def test_final_images_install_nothing(stages: dict[str, Stage], role: str) -> None:
    """Package managers run in stages of their own, so that neither they nor their caches are in an image."""
    said = " ; ".join(run for stage in lineage(stages, role) for run in stage.told("RUN"))
    assert not re.search(r"\b(pip|apt|apt-get|curl|wget|gcc|make|git)\b", said), said


def test_nothing_is_fetched_past_the_package_index(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        assert not stage.told("ADD"), "ADD takes addresses and unpacks archives; COPY does not"
        assert "://" not in " ".join(line.rest for line in stage.lines)


def test_everything_is_pinned(stages: dict[str, Stage]) -> None:
    recipe = (ROOT / "docker" / "Dockerfile").read_text()
    base = re.search(r"^ARG BASE=(\S+)$", recipe, re.MULTILINE)
    assert base is not None
    assert re.search(r":3\.11-slim-\w+$", base[1]), "a name without version moves"
    assert {stage.base for stage in stages.values()} <= {*stages, "${BASE}"}
    installs = [stage for stage in stages.values() if re.search(r"pip install|install\.sh", str(stage.told("RUN")))]
    assert len(installs) == 4
    for stage in installs:  # also what builds a package from its source is pinned by this variable
        assert "PIP_CONSTRAINT=/build/constraints.txt" in str(stages[stage.base].told("ENV"))
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert {"setuptools", "triton", "nvidia-cublas"} <= {pin.partition("==")[0] for pin in pins}


def test_no_secret_is_kept(stages: dict[str, Stage]) -> None:
    """Build arguments and variables are readable in an image for good: where packages come from is a secret's job."""
    for stage in stages.values():
        told = " ".join(stage.told("ARG") + stage.told("ENV") + stage.told("COPY"))
        assert not re.search(r"(?i)(token|password|passwd|_key|index_url|pip\.conf)", told), told
        for run in stage.told("RUN"):
            if "pip install" in run or "install.sh" in run:
                assert "--mount=type=secret,id=pip,target=/run/secrets/pip" in run


@pytest.mark.parametrize("role", ROLES)
def test_all_caches_lie_in_one_folder(stages: dict[str, Stage], role: str) -> None:
    said = " ".join(env for stage in lineage(stages, role) for env in stage.told("ENV"))
    caches = dict(re.findall(r"(\w*(?:HOME|CACHE_\w+|CACHE|DIR))=(\S+)", said))
    assert {"HOME", "XDG_CACHE_HOME", "TORCH_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"} <= set(caches)
    assert all(path == "/tmp/reenact" or path.startswith("/tmp/reenact/") for path in caches.values()), caches


@pytest.mark.parametrize("role", ROLES)
def test_images_say_which_code_they_hold(stages: dict[str, Stage], role: str) -> None:
    said = " ".join(stages[role].told("ENV"))
    assert "REENACT_GIT_COMMIT=${GIT_COMMIT}" in said
    assert "REENACT_IMAGE=${IMAGE}" in said
    assert not any(stage.told("ENTRYPOINT") not in ([], ["[]"]) for stage in lineage(stages, role))


def test_each_role_installs_extras_that_exist_and_kfp(stages: dict[str, Stage]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for role in ROLES:
        run = next(run for run in stages[f"{role}-packages"].told("RUN") if "install.sh" in run)
        named = run.partition("install.sh ")[2].split()[0].split(",")
        assert set(named) <= set(extras)
        assert "step" in named, "the cluster starts every step by kfp's executor"
        assert "pipelines" not in named
        assert "dev" not in named
    assert all(need.startswith("kfp==") for need in extras["step"])


def test_only_what_is_copied_reaches_the_builder(stages: dict[str, Stage]) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        word if not word.startswith("docker/") else "docker"
        for stage in stages.values()
        for copy in stage.told("COPY")
        if not copy.startswith("--from")
        for word in copy.split()[:-1]
    }
    assert copied == let_in


def test_podman_settings_name_a_runtime_for_mixed_cgroups() -> None:
    told = tomllib.loads((ROOT / "docker" / "podman" / "containers.conf").read_text())
    assert told["engine"]["runtime"] == "runc"
    assert told["engine"]["cgroup_manager"] == "cgroupfs"
    assert told["containers"]["default_ulimits"]


def test_pip_settings_of_the_machine_become_a_secret(build: ModuleType, tmp_path: Path) -> None:
    cert = tmp_path / "ca.pem"
    cert.write_text("certificate")
    listed = "\n".join(
        [
            ":env:.index-url='https://me:hidden@index.example/simple'",
            f"global.cert='{cert}'",
            "global.index-url='https://other.example/simple'",
            "global.no-color='true'",
        ]
    )
    settings = build.pip_settings(listed, "https://torch.example/cpu")
    assert settings["index-url"] == "https://me:hidden@index.example/simple", "the environment wins, as for pip"
    assert "no-color" not in settings
    secrets = build.write_secrets(tmp_path, settings)
    assert secrets == [f"id=pip,src={tmp_path / 'pip.conf'}", f"id=pip-cert,src={cert}"]
    written = (tmp_path / "pip.conf").read_text()
    assert "cert = /run/secrets/pip-cert" in written
    assert "extra-index-url = https://torch.example/cpu" in written
    assert (tmp_path / "pip.conf").stat().st_mode & 0o077 == 0
    command = build.build_command(
        "podman", "data", name="reenact-data:1", context=tmp_path, arguments={"BASE": "b"}, secrets=secrets
    )
    assert "hidden" not in " ".join(command)


def test_folders_with_packages_are_shown_to_podman(build: ModuleType, tmp_path: Path) -> None:
    index, wheels = tmp_path / "index" / "simple", tmp_path / "wheels"
    index.mkdir(parents=True)
    wheels.mkdir()
    settings = {"extra-index-url": f"file://{index} https://index.example/simple", "find-links": str(wheels)}
    mounts = build.local_mounts("/usr/bin/podman", settings)
    assert mounts == ["--volume", f"{tmp_path}/index:{tmp_path}/index:ro", "--volume", f"{wheels}:{wheels}:ro"]
    assert build.local_mounts("/usr/bin/docker", settings) == []


@pytest.mark.parametrize(
    ("environment", "wheels", "kinds"),
    [
        ({}, [], {"data": "none", "train": "cuda"}),
        ({}, ["torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"], {"data": "cpu", "train": "cpu"}),
        (
            {"TORCH": "cuda"},
            ["torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"],
            {"data": "cpu", "train": "cuda"},
        ),
        ({"TORCH_INDEX": "https://torch.example/cpu"}, [], {"data": "cpu", "train": "cuda"}),
    ],
)
def test_which_pytorch_goes_where(
    build: ModuleType, environment: dict[str, str], wheels: list[str], kinds: dict[str, str]
) -> None:
    assert build.torch_kinds(environment, wheels) == kinds


def test_the_builder_sees_code_and_nothing_else(build: ModuleType, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "one-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (wheels / "notes.txt").write_text("private")
    context = build.stage_context(tmp_path / "context", str(wheels))
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.name for path in context.iterdir()} == {name.partition("/")[0] for name in let_in}
    assert [path.name for path in (context / "pipelines").iterdir()] == ["compiled"]
    assert (context / "docker/wheels/one-1.0-py3-none-any.whl").exists()
    assert not (context / "docker/wheels/notes.txt").exists()
    assert not [*context.rglob("__pycache__"), *context.rglob("*.egg-info")]


def test_an_engine_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "images", "ENGINE=no-such-engine"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "install or start one, or name it by ENGINE" in done.stderr


def test_settings_name_the_images_that_are_built(build: ModuleType) -> None:
    named = yaml.safe_load((ROOT / "params.yaml").read_text())["cluster"]["images"]
    assert named == {role: f"reenact-{role}:{build.version()}" for role in ROLES}
