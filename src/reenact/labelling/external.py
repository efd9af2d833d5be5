"""Labels by a program of the user's, in an environment or container of its own.

Some labelling tools bring their own OpenCV, torch or CUDA, which must not meet ours in one process. They are spoken to
over files. The program is started with the name of a folder in which lie

    request.json  {"format": 1, "label": "landmarks" | "actions" | "segments", "size": S, "options": {...},
                   "clips": [{"clip": "ana", "fps": 25.0, "frames": [0, 1, ...], "pictures": ["00000.png", ...],
                              "boxes": [[x0, y0, x1, y1], ...]}, ...]}
    *.png         the crops, S x S, RGB; boxes of the face are in their pixels

and it leaves `result.npz` there, a row per picture in the order of the request:

    landmarks  `landmarks` (N, 68, 2) in pixels, (0, 0) in the centre of the first; `found` (N,) bool; if it has them
               `landmarks3d` (N, 68, 3): the same with z in pixels away from the camera
    actions    `actions` (N, 17) intensities 0..5 in OpenFace's order; `valid` (N,) bool; if it has them `pose` (N, 3):
               pitch, yaw, roll in degrees with OpenFace's signs
    segments   `segments` (N, H, W) uint8: 0 background, 1 face, 2 hair
    and `about`, a text: names and versions of what made them.

`adapters/` holds such programs for face-alignment, py-feat and OpenFace; they need nothing of this package.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reenact.atomic import write_json
from reenact.config import Settings
from reenact.errors import ReenactError, SettingsError
from reenact.labelling.clip_frames import ClipFrames

ADAPTERS = Path(__file__).parent / "adapters"
FORMAT = 1
Label = Literal["landmarks", "actions", "segments"]
Result = dict[str, NDArray[Any]]

_SHAPES: dict[Label, dict[str, tuple[int | None, ...]]] = {
    "landmarks": {"landmarks": (68, 2), "found": ()},
    "actions": {"actions": (17,), "valid": ()},
    "segments": {"segments": (None, None)},
}
_OPTIONAL: dict[Label, dict[str, tuple[int | None, ...]]] = {
    "landmarks": {"landmarks3d": (68, 3)},
    "actions": {"pose": (3,)},
    "segments": {},
}
_COMMANDS: dict[str, tuple[str, ...]] = {
    "openface": ("{python}", "{adapters}/openface_adapter.py", "{folder}"),
}
_EXAMPLES = {
    "face_alignment": '[/opt/face-alignment/bin/python, "{adapters}/face_alignment_adapter.py", "{folder}"]',
    "py_feat": '[/opt/py-feat/bin/python, "{adapters}/py_feat_adapter.py", "{folder}"]',
}
# Our interpreter's paths would lead another one to our packages.
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_PRELOAD")


class ExternalSettings(Settings):
    """The program: {folder} is the exchange's folder, {adapters} that of our adapters, {python} our interpreter."""

    command: tuple[str, ...] = ()  # e.g. [/opt/py-feat/bin/python, "{adapters}/py_feat_adapter.py", "{folder}"]
    timeout_seconds: float = Field(default=3600.0, gt=0)  # for one shard
    options: dict[str, Any] = Field(default_factory=dict)  # handed on in request.json
    version: str = ""  # anything: another version labels anew


EXTERNAL = ("external", "face_alignment", "openface", "py_feat")  # backends that this module serves


def with_command(settings: ExternalSettings, backend: str, *, where: str) -> ExternalSettings:
    """The settings with the command that a backend has by itself; raises SettingsError where one has to be named."""
    command = settings.command or _COMMANDS.get(backend, ())
    if not command:
        example = _EXAMPLES.get(backend, '[/opt/tool/bin/python, /opt/tool/adapter.py, "{folder}"]')
        raise SettingsError(f"{where}.command: missing; backend {backend} needs its program, for example {example}.")
    return settings.model_copy(update={"command": command})


def ask(label: Label, clips: Sequence[ClipFrames], settings: ExternalSettings, *, where: str) -> Result:
    """Labels of several clips' frames, one after another; `where` names the settings in messages.

    Raises SettingsError where the program can't be started, ReenactError where it fails or answers nonsense.
    """
    with tempfile.TemporaryDirectory(prefix="reenact-") as name:
        folder = Path(name)
        count = _write_request(folder, label, clips, settings)
        run_program(folder, settings, where)
        return _read_result(folder / "result.npz", label, count, settings, where)


def _write_request(folder: Path, label: Label, clips: Sequence[ClipFrames], settings: ExternalSettings) -> int:
    """Pictures first, then the request; returns how many pictures."""
    listed, count, size = [], 0, 0
    for clip in clips:
        pictures = []
        for index in range(len(clip)):
            image = np.asarray(clip[index])
            pictures.append(f"{count:05d}.png")
            cv2.imwrite(str(folder / pictures[-1]), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            count, size = count + 1, image.shape[0]
        boxes = (clip.boxes * size).round(2).tolist()
        frames = clip.frames.tolist()
        listed.append({"clip": clip.clip, "fps": clip.fps, "frames": frames, "pictures": pictures, "boxes": boxes})
    request = {"format": FORMAT, "label": label, "size": size, "clips": listed, "options": settings.options}
    write_json(folder / "request.json", request)
    return count


def run_program(folder: Path, settings: ExternalSettings, where: str) -> None:
    """Run the command of the settings on a folder, which keeps what it prints as log.txt.

    Raises SettingsError where it can't be started, ReenactError where it fails or takes too long.
    """
    places = {"{folder}": str(folder), "{adapters}": str(ADAPTERS), "{python}": sys.executable}
    command = [_filled(part, places) for part in settings.command]
    if not any("{folder}" in part for part in settings.command):
        command.append(str(folder))
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    with (folder / "log.txt").open("w+b") as log:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        except OSError as error:
            raise SettingsError(f"{where}.command: {command[0]} can't be started ({error.strerror}).") from None
        try:
            code = child.wait(settings.timeout_seconds)
        except subprocess.TimeoutExpired:
            raise ReenactError(
                f"{where}: {command[0]} was not done after {settings.timeout_seconds:g} s. Raise "
                f"{where}.timeout_seconds, or see what keeps it: {_tail(folder)}"
            ) from None
        finally:
            _end(child)
    if code:
        raise ReenactError(f"{where}: {command[0]} ended with code {code}: {_tail(folder)}")


def _filled(text: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        text = text.replace(name, place)
    return text


def _end(child: "subprocess.Popen[bytes]") -> None:
    """The program and whatever it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    child.wait()


def _tail(folder: Path) -> str:
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(line.strip()[:200] for line in lines[-3:]) or "it printed nothing."


def _read_result(path: Path, label: Label, count: int, settings: ExternalSettings, where: str) -> Result:
    program = settings.command[0]
    if not path.exists():
        raise ReenactError(f"{where}: {program} ended well and left no result.npz. Does it know this protocol?")
    try:
        with np.load(path, allow_pickle=False) as stored:
            result = {name: stored[name] for name in stored.files}
    # A damaged zip raises errors of zip, zlib, numpy and its own kinds.
    except Exception as error:
        raise ReenactError(f"{where}: {program} left a result.npz that can't be read ({error}).") from None
    for name, shape in _SHAPES[label].items():
        if name not in result:
            raise ReenactError(f"{where}: {program} left no {name} in result.npz.")
        _check_shape(result[name], (count, *shape), f"{where}: {program}: {name}")
    for name, shape in _OPTIONAL[label].items():
        if name in result:
            _check_shape(result[name], (count, *shape), f"{where}: {program}: {name}")
    return result


def _check_shape(array: NDArray[Any], shape: tuple[int | None, ...], what: str) -> None:
    fits = array.ndim == len(shape) and all(s is None or s == n for s, n in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "fiub":
        expected = " x ".join("any" if s is None else str(s) for s in shape)
        raise ReenactError(f"{what} has the shape {array.shape} ({array.dtype}), expected numbers {expected}.")
