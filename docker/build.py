"""Builds the images with docker or podman: `make images`, or `python3 docker/build.py [ROLE ...]`.

Environment, all of it optional:
ENGINE       docker or podman; without it the first one that works
NAMES        what stands before the images' names: NAMES=registry.example/team/ for registry.example/team/reenact-data
BASE         the Python image to stand on
BASE_SCRIPT  a program that makes an image with the name it is given, where BASE can't be pulled
TORCH        cpu or cuda, of the train image; cuda, unless a wheel of the CPU build lies in WHEELS
WHEELS       a folder of wheels that are taken before those of an index
TORCH_INDEX  address of an index that has the CPU build of PyTorch
BUILD_FLAGS  further words for `docker build`

pip's own settings (`pip config list`, PIP_*) hold in the build, too: as a secret, which no image keeps.
"""

import ast
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROLES = ("data", "train", "tools")
BASE = "docker.io/library/python:3.11-slim-bookworm"
# What of pip's settings says where packages come from; the rest is the user's own business.
_KEPT = ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout", "retries", "proxy", "cert")
_CERT = "/run/secrets/pip-cert"


def main(wanted: list[str]) -> int:
    """Build the images named, or all of them."""
    if unknown := set(wanted) - set(ROLES):
        return _fail(f"no image {', '.join(sorted(unknown))}; there are {', '.join(ROLES)}")
    engine = find_engine(os.environ)
    if not engine:
        return _fail("no docker with buildx and no podman works here: install or start one, or name it by ENGINE")
    base = os.environ.get("BASE") or BASE
    if not make_base(engine, base, os.environ.get("BASE_SCRIPT", "")):
        return _fail(f"BASE_SCRIPT could not make {base}")
    settings = pip_settings(_pip_config(), os.environ.get("TORCH_INDEX", ""))
    with tempfile.TemporaryDirectory(prefix="reenact-images-") as folder:
        secrets = write_secrets(Path(folder), settings)
        commit = git_commit()  # of what is copied now, whatever happens to the work tree during the build
        context = stage_context(Path(folder, "context"), os.environ.get("WHEELS", ""))
        torch = torch_kinds(os.environ, [path.name for path in (context / "docker/wheels").iterdir()])
        told = {"BASE": base, "GIT_COMMIT": commit, "DATA_TORCH": torch["data"], "TRAIN_TORCH": torch["train"]}
        if torch["data"] == "none":
            print("reenact-data gets no PyTorch for its label backend `synthetic`: give WHEELS or TORCH_INDEX")
        for role in wanted or ROLES:
            name = f"{os.environ.get('NAMES', '')}reenact-{role}:{version()}"
            command = build_command(
                engine, role, name=name, context=context, arguments=told | {"IMAGE": name}, secrets=secrets
            )
            command[2:2] = [*local_mounts(engine, settings), *shlex.split(os.environ.get("BUILD_FLAGS", ""))]
            if not build_image(command, name=name, what=f"PyTorch: {torch.get(role, 'none')}"):
                return _fail(f"{name} was not built")
    return 0


def build_image(command: list[str], *, name: str, what: str) -> bool:
    """Run a build, saying what is built and how large it is in the end."""
    engine = command[0]
    print(f"{name}: building with {Path(engine).name}, {what}", flush=True)
    if subprocess.run(command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, check=False).returncode:
        return False
    size = _output(engine, "image", "inspect", "--format", "{{.Size}}", name)
    print(f"{name}: {int(size or 0) / 1e9:.2f} GB", flush=True)
    return True


def find_engine(environment: Mapping[str, str]) -> str:
    """Path of docker or podman; "" where there is none."""
    if named := environment.get("ENGINE"):
        return shutil.which(named) or ""
    docker = shutil.which("docker") or ""
    # Its command line alone, which many machines have, builds nothing: it takes the daemon, and what knows secrets.
    if docker and _works(docker, "info") and _works(docker, "buildx", "version"):
        return docker
    return shutil.which("podman") or ""


def make_base(engine: str, base: str, script: str) -> bool:
    """Have the script make the base image where it isn't there; without a script the build itself pulls it."""
    if not script or _output(engine, "image", "inspect", "--format", "{{.Id}}", base):
        return True
    return subprocess.run([script, base], check=False).returncode == 0


def pip_settings(listed: str, torch_index: str = "") -> dict[str, str]:
    """What `pip config list` says of where packages come from; the environment wins over files, as for pip."""
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, equals, value = line.partition("=")
        key = name.rpartition(".")[2]
        if equals and key in _KEPT:
            found[key] = str(ast.literal_eval(value))
    if torch_index:
        found["extra-index-url"] = " ".join([*found.get("extra-index-url", "").split(), torch_index])
    return found


def write_secrets(folder: Path, settings: Mapping[str, str]) -> list[str]:
    """Files that are seen while the images are built and at no other time, as `--secret` takes them."""
    inside, secrets = dict(settings), []
    if (cert := Path(settings.get("cert", "-"))).is_file():
        secrets.append(f"id=pip-cert,src={cert.resolve()}")
        inside["cert"] = _CERT
    config = folder / "pip.conf"
    config.touch(mode=0o600)
    config.write_text("\n".join(["[global]", *(f"{key} = {value}" for key, value in inside.items()), ""]))
    return [f"id=pip,src={config}", *secrets]


def local_folders(settings: Mapping[str, str]) -> list[str]:
    """Folders of this machine among the places where pip looks for packages."""
    places = " ".join(settings.get(key, "") for key in ("index-url", "extra-index-url", "find-links")).split()
    found = (Path(place.removeprefix("file://")) for place in places if place.startswith(("/", "file:///")))
    return sorted({str(path) for path in found if path.is_dir()})


def local_mounts(engine: str, settings: Mapping[str, str]) -> list[str]:
    """Show those folders to the build at their own paths, read-only; docker can't, podman can."""
    if Path(engine).name != "podman":
        return []
    # An index's pages lead to files beside it.
    roots = sorted({str(Path(one).parent) if Path(one).name == "simple" else one for one in local_folders(settings)})
    return [word for root in roots for word in ("--volume", f"{root}:{root}:ro")]


def stage_context(context: Path, wheels: str) -> Path:
    """What the build may see, copied into a folder of its own: nothing else of a work tree can get into an image."""
    context.mkdir()
    for name in ("pyproject.toml", "constraints.txt", "README.md", "params.yaml"):
        shutil.copy(ROOT / name, context / name)
    kept_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")
    shutil.copytree(ROOT / "src", context / "src", ignore=kept_out)
    shutil.copytree(ROOT / "pipelines/compiled", context / "pipelines/compiled")
    shutil.copytree(ROOT / "docker", context / "docker", ignore=kept_out)
    for wheel in sorted(Path(wheels).glob("*.whl")) if wheels else ():
        shutil.copy(wheel, context / "docker/wheels" / wheel.name)
    return context


def torch_kinds(environment: Mapping[str, str], wheels: Iterable[str]) -> dict[str, str]:
    """Which PyTorch the images of data and training get."""
    cpu = any(name.startswith("torch-") and "+cpu" in name for name in wheels)
    train = environment.get("TORCH") or ("cpu" if cpu else "cuda")
    return {"data": "cpu" if cpu or environment.get("TORCH_INDEX") else "none", "train": train}


def build_command(
    engine: str, role: str, *, name: str, context: Path, arguments: Mapping[str, str], secrets: Iterable[str]
) -> list[str]:
    """The words of `docker build` for one image."""
    words = [engine, "build", "--file", str(context / "docker/Dockerfile"), "--target", role, "--tag", name]
    for key, value in arguments.items():
        words += ["--build-arg", f"{key}={value}"]
    for secret in secrets:
        words += ["--secret", secret]
    return [*words, str(context)]


def version() -> str:
    """The project's version, which is the images' tag."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def git_commit() -> str:
    """The commit that is built; `-dirty` behind it where the work tree has other code. "" outside a repository."""
    commit = _output("git", "-C", str(ROOT), "rev-parse", "HEAD")
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "pyproject.toml", "constraints.txt")
    return f"{commit}-dirty" if commit and changed else commit


def _pip_config() -> str:
    return _output(sys.executable, "-m", "pip", "config", "list")


def _works(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _fail(sentence: str) -> int:
    print(f"docker/build.py: {sentence}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
