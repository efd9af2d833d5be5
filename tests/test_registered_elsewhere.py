"""Registered models of every system away from this checkout: in a fresh virtual environment, and served by MLflow."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pytest
import torch

from reenact.faces.batch import Faces
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.store import load_system, save_system
from reenact.tracking.connect import TrackingSettings, connect, tracking_uri
from reenact.tracking.example import input_example
from reenact.tracking.registry import RegistrySettings, register_model
from reenact.tracking.served_model import source_segments
from s3_server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("registered_elsewhere")]

SIZE = 32
DRAW = """
import sys
import mlflow, numpy as np
uri, name, given, drawn = sys.argv[1:]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model(f"models:/{name}/1")
np.save(drawn, model.predict(dict(np.load(given))))
import reenact
print(reenact.__file__)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def tracking(home):
    """A registry with version 1 of a model for each system, of random weights."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        place = TrackingSettings(uri=f"sqlite:///{home}/mlflow/mlflow.db", artifacts=f"{home}/mlflow/artifacts")
        for name, card in SYSTEMS.items():
            torch.manual_seed(0)
            values = {"sources": 2} if "sources" in card.settings.model_fields else {}
            save_system(home / name, build_system(name, "full", values, size=SIZE, features=None, clips=3), {})
            tags = {"branch": f"{name}-full-0"}
            register_model(home / name, tracking=place, settings=RegistrySettings(model=name), tags=tags)
        yield place


@pytest.fixture(scope="module")
def python(home, tracking):
    """A Python that has what a version asks for, from the package index, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
    place = urlparse(connect(tracking)[0].get_model_version_download_uri("cgan", "1")).path
    wanted = Path(url2pathname(place)) / "requirements.txt"
    command = [home / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", wanted]
    subprocess.run([*map(str, command)], check=True, cwd=home, env=elsewhere())
    return str(home / "venv" / "bin" / "python")


def elsewhere(**more):
    """An environment that leads to no checkout."""
    hidden = ("PYTHONPATH", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, **more}


def some_inputs(folder):
    """Two samples of the face that comes with a model as example, its pictures and labels changed at random."""
    example = input_example(json.loads((folder / "model.json").read_text()))
    generator = np.random.default_rng(0)
    given = {name: np.repeat(value, 2, axis=0) for name, value in example.items()}
    noise = {name: generator.random(value.shape, dtype=np.float32) for name, value in given.items()}
    given = {name: value + 0.01 * noise[name] for name, value in given.items()}
    return {**given, "sources": noise["sources"] * 2 - 1, "driving_actions": noise["driving_actions"] * 5}


def drawn_here(folder, given):
    system, _ = load_system(folder)
    values = {name: torch.from_numpy(value) for name, value in given.items()}
    source, driving = (
        Faces(
            image=values["sources"] if who == "source" else values["sources"][:, 0],
            landmarks=values[f"{who}_landmarks"], actions=values[f"{who}_actions"], pose=values[f"{who}_pose"],
            segments=source_segments(values) if who == "source" and "segments" in system.labels else None,
        )
        for who in ("source", "driving")
    )  # fmt: skip
    with torch.inference_mode():
        return system.reenact(source, driving).numpy()


@pytest.mark.parametrize("name", SYSTEMS)
def test_in_a_fresh_environment_a_version_draws_what_was_trained(name, home, tracking, python, tmp_path):
    given = some_inputs(home / name)
    np.savez(tmp_path / "given.npz", **given)
    (tmp_path / "draw.py").write_text(DRAW)
    files = [str(tmp_path / "given.npz"), str(tmp_path / "drawn.npy")]
    done = subprocess.run(
        [python, str(tmp_path / "draw.py"), tracking_uri(tracking), name, *files],
        cwd=tmp_path, env=elsewhere(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "/code/reenact/" in done.stdout
    np.testing.assert_allclose(np.load(files[1]), drawn_here(home / name, given), atol=1e-4)


@contextmanager
def served(name, tracking, folder):
    """The address of `mlflow models serve`."""
    port = free_port()
    tools = Path(sys.executable).parent
    command = [str(tools / "mlflow"), "models", "serve", "-m", f"models:/{name}/1", "--env-manager", "local",
               "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    env = elsewhere(MLFLOW_TRACKING_URI=tracking_uri(tracking), PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")
    with (folder / "served.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + 120
        while True:
            assert process.poll() is None, (folder / "served.log").read_text()[-2000:]
            assert time.monotonic() < ends, (folder / "served.log").read_text()[-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                    break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        process.terminate()  # its server ends with it
        process.wait(60)


def test_a_served_version_draws_what_was_trained(home, tracking, tmp_path):
    given = some_inputs(home / "cgan")
    body = json.dumps({"inputs": {name: value.tolist() for name, value in given.items()}}).encode()
    with served("cgan", tracking, tmp_path) as address:
        request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            drawn = np.array(json.loads(answer.read())["predictions"])
    np.testing.assert_allclose(drawn, drawn_here(home / "cgan", given), atol=1e-4)
