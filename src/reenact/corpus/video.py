"""Video files and packs of pictures as RGB frames, and one sentence for each way in which a file can be none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from reenact.corpus.packs import MAXIMUM_PIXELS, MAXIMUM_SIDE, PACK_SUFFIX, Pack, open_pack
from reenact.corpus.shards import Image
from reenact.errors import BadInput

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp", ".gif"}
)
_HEAD = 4096
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"v=0", b"<?xml")  # as FFmpeg knows them, whatever follows


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What the container claims, with the orientation applied; `frames` is 0 where it claims nothing sensible."""

    fps: float
    width: int
    height: int
    frames: int


class Video:
    """An open video: go over it once, by `numbered` or as an iterable of RGB uint8 (H, W, 3) frames."""

    def __init__(self, path: Path, frames: Iterator[tuple[int, Image]], facts: VideoFacts) -> None:
        self.path, self.facts, self._frames = path, facts, frames

    def numbered(self) -> Iterator[tuple[int, Image]]:
        """(number, frame); numbers of pictures that can't be read are missing."""
        return self._frames

    def __iter__(self) -> Iterator[Image]:
        return (image for _, image in self._frames)


def excluded_frames(text: str) -> list[range]:
    """Frames that are passed over, from the column `excluded` of the table of clips: "3-3 10-20", both ends inside."""
    ends = [part.split("-") for part in text.split()]
    return [range(int(first), int(last) + 1) for first, last in ends]


@contextmanager
def open_video(path: Path, member: str = "") -> Iterator[Video]:
    """Open a video, the frames in a pack, or one `member` of a pack, for one pass.

    Raises BadInput with a sentence that names the file. The orientation that phones write beside the picture is
    applied. One decoding thread: work is shared out over clips.
    """
    if path.suffix == PACK_SUFFIX:
        with open_pack(path, member) as pack:
            yield _pictures(pack)
        return
    _refuse_what_is_no_video(path)
    # Read by OpenCV when its FFmpeg part starts: errors are ours to report, once, with the file's name.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    _silence_opencv()
    with _text_name(path) as name:
        capture = cv2.VideoCapture(
            name,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_N_THREADS, 1, cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 30_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 30_000],
        )
    try:
        if not capture.isOpened():
            raise BadInput(f"{path}: {_why_not_open(path)}")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        yield Video(path, enumerate(_decoded(capture)), _facts(path, capture))
    finally:
        capture.release()


@contextmanager
def _text_name(path: Path) -> Iterator[str]:
    """A name that OpenCV can take: one that is no UTF-8 would end the process."""
    name = str(path.resolve())
    try:
        name.encode()
    except UnicodeEncodeError:
        with TemporaryDirectory() as folder:
            link = Path(folder) / "video"
            link.symlink_to(path.resolve())
            yield str(link)
    else:
        yield name


def _decoded(capture: cv2.VideoCapture) -> Iterator[Image]:
    while True:
        ok, bgr = capture.read()
        if not ok:
            return
        yield _rgb(bgr)


def _pictures(pack: Pack) -> Video:
    """The pictures of a pack as a video: damaged ones are left out, and so are those of another size than the first."""
    _silence_opencv()
    read, sentence = pack.pictures(), ""
    first: tuple[int, Image] | None = None
    for number, image in read:
        if not isinstance(image, str):
            first = number, image
            break
        sentence = sentence or image
    if first is None:
        raise BadInput(sentence or f"{pack.path}: there are no pictures in it.")
    height, width = first[1].shape[:2]
    rest = ((n, image) for n, image in read if not isinstance(image, str) and image.shape[:2] == (height, width))
    facts = VideoFacts(fps=pack.fps, width=width, height=height, frames=len(pack.members))
    return Video(pack.path, chain([first], rest), facts)


def _facts(path: Path, capture: cv2.VideoCapture) -> VideoFacts:
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if max(width, height) > MAXIMUM_SIDE or width * height > MAXIMUM_PIXELS:
        raise BadInput(
            f"{path}: claims frames of {width}x{height} pixels; a broken header. Remove the file or encode it again."
        )
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    claimed = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return VideoFacts(
        fps=fps if np.isfinite(fps) and 0.5 <= fps <= 1000 else 25.0,
        width=width,
        height=height,
        frames=int(claimed) if np.isfinite(claimed) and 0 < claimed < 2**31 else 0,
    )


def _rgb(image: Any) -> Image:
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _refuse_what_is_no_video(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path}: the file is empty (0 bytes). Copy it again, or remove it.")
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    # Beyond the better message: FFmpeg takes some text files for playlists and would open what they name.
    if head.startswith(_PLAYLISTS) or all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        raise BadInput(f"{path}: this is a text file, not a video. Remove it, or give the video its name.")


def _why_not_open(path: Path) -> str:
    data = _marks(path)
    if b"ftyp" in data[:64] and b"moov" not in data:
        return "the video is cut off (its index is missing at the end). Copy or download it again."
    if b"ftyp" in data[:64] and b"soun" in data and b"vide" not in data:
        return "the file holds sound only, no picture. Remove it."
    if data[:4] in (b"RIFF", b"OggS", b"fLaC") or data[:3] == b"ID3":
        return "no picture that OpenCV can read in this file (sound only, or damaged). Remove it."
    return "OpenCV can't read this as a video (damaged, or of an unknown kind). Encode it again as .mp4, or remove it."


def _marks(path: Path, keep: int = 1 << 20) -> bytes:
    """The first and last part of a file: the index of an .mp4 stands at one of its ends."""
    with path.open("rb") as stream:
        head = stream.read(keep)
        stream.seek(max(keep, path.stat().st_size - keep))
        return head + stream.read(keep)


def _silence_opencv() -> None:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
