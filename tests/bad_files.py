"""Two hundred bad files from one seed: what lies about on disks, and what someone might send on purpose."""

import io
import json
import os
import stat
import struct
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reenact.faces.actions import ACTION_UNITS

CONTAINERS = (
    ("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v"), ("mov", "mp4v"), ("mpg", "PIM1"), ("webm", "VP80"),
    ("ts", "MPG2"),
)  # fmt: skip
HUGE = 0xFFFFFFFF
Frame = np.ndarray


@dataclass(frozen=True)
class BadFile:
    """One bad file; `kind` says what is wrong with it. `usable`: enough may be left of it for a clip."""

    path: Path
    kind: str
    usable: bool = False


def write_bad_files(folder: Path, frames: list[Frame], *, seed: int = 0) -> list[BadFile]:
    """200 files: `videos/` and `names/` (with a `good.mp4` that is none of them), `labels/`, `archives/`."""
    rng = np.random.default_rng(seed)
    videos, names, labels, archives = (folder / name for name in ("videos", "names", "labels", "archives"))
    for part in (videos, names, labels, archives):
        part.mkdir(parents=True)
    good = {suffix: encoded(folder / f"good.{suffix}", frames, fourcc) for suffix, fourcc in CONTAINERS}
    for part in (videos, names):
        (part / "good.mp4").write_bytes(good["mp4"])
    return [
        *truncated(videos, good, rng, 70),
        *wrong_headers(videos, good, rng, 42),
        *absurd_sizes(videos, good),
        *zero_frames(videos, good, frames),
        *endless(videos, good),
        *odd_names(names, good["mp4"]),
        *broken_csv(labels, rng),
        *broken_pts(labels, rng),
        *archive_tricks(archives, good["mp4"], rng),
    ]


def encoded(path: Path, frames: list[Frame], fourcc: str) -> bytes:
    """RGB frames as a video file's bytes; the file is gone afterwards."""
    height, width = frames[0].shape[:2] if frames else (192, 192)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*fourcc), 25.0, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    data = path.read_bytes()
    path.unlink()
    return data


def written(path: Path, data: bytes, kind: str, *, usable: bool = False) -> BadFile:
    path.write_bytes(data)
    return BadFile(path, kind, usable)


def truncated(folder: Path, good: dict[str, bytes], rng: np.random.Generator, count: int) -> Iterator[BadFile]:
    for number in range(count):
        suffix = CONTAINERS[number % len(CONTAINERS)][0]
        keep = int(rng.integers(0, len(good[suffix])))
        yield written(folder / f"cut-{number:02d}.{suffix}", good[suffix][:keep], f"cut at {keep}", usable=True)


def wrong_headers(folder: Path, good: dict[str, bytes], rng: np.random.Generator, count: int) -> Iterator[BadFile]:
    picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    sound = io.BytesIO()
    with wave.open(sound, "wb") as stream:
        stream.setparams((1, 2, 8000, 0, "NONE", ""))
        stream.writeframes(bytes(16000))
    others = {
        "png": picture, "html": b"<html><body>404 Not Found</body></html>", "json": b'{"error": "quota"}', "empty": b"",
        "wav": sound.getvalue(), "elf": b"\x7fELF" + rng.bytes(4000), "zip": b"PK\x03\x04" + rng.bytes(4000),
        "pdf": b"%PDF-1.7\n" + rng.bytes(3000), "utf16": "not a video".encode("utf-16"), "zeros": bytes(5000),
        "noise": rng.bytes(20_000), "ftyp": good["mp4"][:32] + rng.bytes(3000),
        "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    }  # fmt: skip
    for name, data in others.items():
        yield written(folder / f"really-{name}.mp4", data, f"really {name}")
    for number in range(count - len(others)):
        suffix = CONTAINERS[number % len(CONTAINERS)][0]
        data = bytearray(good[suffix])
        start, length = int(rng.integers(0, 200)), int(rng.integers(8, 400))
        data[start : start + length] = rng.bytes(length)
        yield written(folder / f"header-{number:02d}.{suffix}", bytes(data), "damaged header", usable=True)


def patched(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """With `value` at `offset` behind the last `mark`."""
    at = data.rindex(mark) + len(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def absurd_sizes(folder: Path, good: dict[str, bytes]) -> Iterator[BadFile]:
    for width, height in ((0, 0), (65535, 65535), (16384, 16384), (30000, 2), (1, 65535), (20000, 20000)):
        sizes = struct.pack(">HH", width, height)
        data = patched(good["mp4"], b"mp4v", 24, sizes)
        yield written(folder / f"size-{width}x{height}.mp4", data, "absurd size", usable=True)
    for width, height in ((0, 0), (HUGE, HUGE), (0x7FFFFFFF, 0x7FFFFFFF), (65536, 65536), (1 << 20, 4)):
        sizes = struct.pack("<II", width, height)
        data = patched(patched(good["avi"], b"strf", 8, sizes), b"avih", 4 + 32, sizes)
        yield written(folder / f"size-{width}x{height}.avi", data, "absurd size", usable=True)
    # The sizes above stand in containers; these stand in the pictures themselves.
    mark = b"\xff\xc0\x00\x11\x08"
    for width, height in ((65500, 65500), (0, 0)):
        data = good["avi"].replace(
            mark + good["avi"][good["avi"].index(mark) + 5 :][:4], mark + struct.pack(">HH", height, width)
        )
        yield written(folder / f"picture-{width}x{height}.avi", data, "absurd size")
    for side in (16000, 100_000):
        line = zlib.compress(bytes((side // 8 + 1) * min(side, 16000)), 9)
        chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", line), (b"IEND", b""))
        data = b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
        yield written(folder / f"picture-{side}.mp4", b"\x89PNG\r\n\x1a\n" + data, "absurd size")
    yield written(folder / "picture.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(200), "absurd size")


def zero_frames(folder: Path, good: dict[str, bytes], frames: list[Frame]) -> Iterator[BadFile]:
    for suffix, fourcc in (("avi", "MJPG"), ("mkv", "mp4v"), ("mp4", "mp4v"), ("mov", "mp4v")):
        yield written(folder / f"none.{suffix}", encoded(folder / f"tmp.{suffix}", [], fourcc), "no frames")
    for name, mark in (("stsz", b"stsz"), ("stts", b"stts"), ("stsc", b"stsc"), ("stco", b"stco")):
        at = 8 if name == "stsz" else 4
        data = patched(good["mp4"], mark, at, struct.pack(">I", 0))
        yield written(folder / f"none-{name}.mp4", data, "no frames", usable=True)


def endless(folder: Path, good: dict[str, bytes]) -> Iterator[BadFile]:
    claims = {
        "mvhd-long": (b"mvhd", 16, HUGE), "mvhd-scale": (b"mvhd", 12, 0), "mdhd-long": (b"mdhd", 16, HUGE),
        "mdhd-scale": (b"mdhd", 12, 0), "mdhd-fast": (b"mdhd", 12, HUGE), "stts-count": (b"stts", 8, HUGE),
        "stts-delta": (b"stts", 12, HUGE), "stts-still": (b"stts", 12, 0), "stsz-count": (b"stsz", 8, HUGE),
        "stsz-size": (b"stsz", 4, 0x7FFFFFFF), "stco-count": (b"stco", 4, HUGE), "stsc-count": (b"stsc", 12, HUGE),
    }  # fmt: skip
    for name, (mark, at, value) in claims.items():
        data = patched(good["mp4"], mark, at, struct.pack(">I", value))
        yield written(folder / f"endless-{name}.mp4", data, "endless", usable=True)
    for name, at, value in (("frames", 4 + 16, HUGE), ("period", 4, 0)):
        data = patched(good["avi"], b"avih", at, struct.pack("<I", value))
        yield written(folder / f"endless-{name}.avi", data, "endless", usable=True)
    for name, scale, rate in (("rate", 0, 0), ("slow", HUGE, 1)):
        data = patched(good["avi"], b"strh", 4 + 20, struct.pack("<II", scale, rate))
        yield written(folder / f"endless-{name}.avi", data, "endless", usable=True)


def odd_names(folder: Path, data: bytes) -> Iterator[BadFile]:
    """Whole videos under names that are none, and names with no video behind them."""
    for name in ("bell\x07.mp4", "line\nbreak.mp4", os.fsdecode(b"latin\xe9\xff.mp4")):
        yield written(folder / name, data, "name", usable=True)
    (folder / "nothing.mp4").symlink_to(folder / "gone.mp4")
    (folder / "round.mp4").symlink_to(folder / "round.mp4")
    os.mkfifo(folder / "pipe.mp4")
    os.mknod(folder / "socket.mp4", stat.S_IFSOCK | 0o600)
    for name in ("nothing", "round", "pipe", "socket"):
        yield BadFile(folder / f"{name}.mp4", "no file")
    yield written(folder / ("n" * 251 + ".mp4"), data[:100], "long name")


def broken_csv(folder: Path, rng: np.random.Generator) -> Iterator[BadFile]:
    """OpenFace's table, each time with something wrong that makes it worthless."""
    points = [f"{axis}_{n}" for axis in "xy" for n in range(68)]
    names = ["frame", "face_id", "timestamp", "confidence", "success", *points, *(f"{unit}_r" for unit in ACTION_UNITS)]
    rows = [
        [n + 1, 0, n / 25, 0.98, 1, *rng.uniform(0, 200, 136).round(1), *rng.uniform(0, 5, 17).round(2)]
        for n in range(5)
    ]
    head, body = ", ".join(names), ["  ".join(("", ", ".join(map(str, row)))) for row in rows]
    whole = "\n".join([head, *body]) + "\n"
    texts: dict[str, bytes] = {
        "empty": b"", "noise": rng.bytes(3000), "zeros": bytes(3000), "head": head[:60].encode(),
        "headless": "\n".join(body).encode(), "words": whole.replace(str(rows[2][40]), "n/a").encode(),
        "html": b"<html>404</html>", "utf16": whole.encode("utf-16"), "quote": (head + '\n"' + body[0]).encode(),
        "wide": (head + "\n" + body[0] + ", 1, 2, 3\n").encode(), "short": (head + "\n1, 0, 0.0\n").encode(),
        "frames": whole.replace("\n  1,", "\n  -7,").replace("\n  2,", "\n  1e300,").encode(),
        "nan": (head + "\n" + ", ".join(["nan"] * len(names)) + "\n").encode(),
        "semicolons": whole.replace(",", ";").encode(),
        "names": whole.replace("AU", "XX").replace("x_", "q_").encode(), "json": json.dumps({"frame": 1}).encode(),
    }  # fmt: skip
    some = ("words", "short", "wide", "frames", "nan", "quote")
    for name, data in texts.items():
        yield written(folder / f"{name}.csv", data, "broken CSV", usable=name in some)


def broken_pts(folder: Path, rng: np.random.Generator) -> Iterator[BadFile]:
    lines = "\n".join(f"{x:.2f} {y:.2f}" for x, y in rng.uniform(0, 200, (68, 2)))
    texts: dict[str, bytes] = {
        "empty": b"", "noise": rng.bytes(2000), "huge": b"1 " * 100_000,
        "open": b"version: 1\nn_points: 68\n{\n1 2\n",
        "count": f"version: 1\nn_points: 5\n{{\n{lines}\n}}".encode(),
        "fewer": f"version: 1\n{{\n{lines[:300]}\n}}".encode(),
        "words": f"version: 1\nn_points: 68\n{{\n{lines}\n}}".replace("1", "one").encode(),
        "nan": f"{{\n{chr(10).join(['nan nan'] * 68)}\n}}".encode(),
        "inf": f"{{\n{chr(10).join(['1e30 1'] * 68)}\n}}".encode(),
        "zeros": bytes(500), "five": b"n_points: 5\n{\n1 2\n3 4\n5 6\n7 8\n9 10\n}",
        "many": b"n_points: 99999999999999999999\n{\n}",
    }  # fmt: skip
    for name, data in texts.items():
        yield written(folder / f"{name}.pts", data, "broken .pts")


def archive_tricks(folder: Path, video: bytes, rng: np.random.Generator) -> Iterator[BadFile]:
    """Members that would land elsewhere, links, devices, bombs, damage."""
    tricks = ("../out.mp4", "/tmp/reenact-out.mp4", "a/../../out.mp4", "..\\out.mp4")
    for number, trick in enumerate(tricks):
        with zipfile.ZipFile(folder / f"path-{number}.zip", "w") as archive:
            archive.writestr(trick, video)
        yield BadFile(folder / f"path-{number}.zip", "path trick")
    for number, trick in enumerate((*tricks[:3], "x" * 400 + ".mp4")):
        with tarfile.open(folder / f"path-{number}.tar", "w") as tar:
            info = tarfile.TarInfo(trick)
            info.size = len(video)
            tar.addfile(info, io.BytesIO(video))
        yield BadFile(folder / f"path-{number}.tar", "path trick")
    with tarfile.open(folder / "link.tar", "w") as tar:
        for name, kind in (("d", tarfile.SYMTYPE), ("d/out.mp4", tarfile.LNKTYPE), ("e.mp4", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../../.."
            tar.addfile(info)
    yield BadFile(folder / "link.tar", "link")
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.mp4", bytes(80 << 20))
    yield BadFile(folder / "bomb.zip", "bomb")
    yield written(folder / "noise.tar.gz", rng.bytes(5000), "damaged")
    yield written(folder / "noise.zip", b"PK\x03\x04" + rng.bytes(5000), "damaged")
