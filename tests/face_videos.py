"""Small videos with a stand-in for a face, and a stand-in backend that finds it: for tests of what surrounds dlib.

The "face" is a white square with a dark pattern, one per person; the detector finds white squares, the predictor
places the mean face of the shape model in the nearest one. Real detection is tested on rendered and real clips.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reenact.faces.shape_model import shape_model
from reenact.labelling import backends, guarded
from reenact.labelling.backend import Box, Detection

Frame = np.ndarray


def room(seed: int, height: int = 240, width: int = 320) -> Frame:
    """A smooth dark background that differs from seed to seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 130, (4, 5, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 150)


def face_at(frame: Frame, x: float, y: float, side: int = 80, person: int = 0) -> Frame:
    """A copy with a person's square, centred at x, y."""
    frame = frame.copy()
    x0, y0 = round(x - side / 2), round(y - side / 2)
    cv2.rectangle(frame, (x0, y0), (x0 + side - 1, y0 + side - 1), (255, 255, 255), -1)
    inner = max(2, side // 8)
    cv2.circle(frame, (x0 + side // 3 + person * 9 % inner, y0 + side // 3), inner, (190 - 30 * person,) * 3, -1)
    return frame


def walk(
    count: int, *, seed: int = 0, person: int = 0, side: int = 80, height: int = 240, width: int = 320
) -> list[Frame]:
    """Frames in which one person sways gently."""
    back = room(seed, height, width)
    return [
        face_at(back, width / 2 + 12 * np.sin(n / 6), height / 2 + 5 * np.cos(n / 5), side, person)
        for n in range(count)
    ]


def write_video(
    path: Path, frames: list[Frame], *, fps: float = 25.0, fourcc: str = "mp4v", backend: int = cv2.CAP_FFMPEG
) -> Path:
    """Encode RGB frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), backend, cv2.VideoWriter.fourcc(*fourcc), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def squares(gray: Frame) -> list[Box]:
    """White squares, largest first."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx((gray > 170).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9)))
    )
    found = [
        (w * h, Box(x, y, x + w, y + h)) for x, y, w, h, area in stats[1:] if area > 0.4 * w * h and min(w, h) > 12
    ]
    return [box for _, box in sorted(found, key=lambda one: -one[0])]


class SquareDetector:
    """Finds white squares of at least 20 pixels."""

    name, smallest = "squares", 20.0

    def __call__(self, gray: Frame) -> list[Detection]:
        return [Detection(box, 1.0) for box in squares(gray) if box.side >= self.smallest]


class SquarePredictor:
    """The mean face in the white square nearest to the box, or in the box itself."""

    name = "squares"

    def __call__(self, gray: Frame, box: Box) -> np.ndarray:
        near = [one for one in squares(gray) if np.hypot(*np.subtract(one.centre, box.centre)) < box.side]
        target = min(near, key=lambda one: np.hypot(*np.subtract(one.centre, box.centre)), default=box)
        mean = shape_model().mean[:, :2]
        unit = (mean - mean.mean(axis=0)) / np.sqrt(np.square(mean - mean.mean(axis=0)).sum(axis=1).mean())
        return np.asarray(target.centre) + unit * target.side / 2.9


class ThisProcess:
    """In place of guarded workers: tasks one after another, here."""

    def map(self, function: Callable[..., Any], tasks: Sequence[Any], lost: object = None) -> Iterator[Any]:
        for task in tasks:
            yield function(task, lambda: None)


@pytest.fixture
def square_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stages use the stand-in backend, in this process: others know nothing of it."""
    monkeypatch.setattr(guarded, "guarded_processes", lambda *_, **__: nullcontext(ThisProcess()))
    monkeypatch.setattr(backends, "detector", lambda *_: SquareDetector())
    monkeypatch.setattr(backends, "landmark_predictor", lambda *_: SquarePredictor())
    monkeypatch.setattr(backends, "backend_facts", lambda *_: {"backend": "squares"})
