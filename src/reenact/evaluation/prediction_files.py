"""Which file of a folder holds the picture of which pair.

A picture is named by its pair, `PAIR.png`, in the folder itself or in any folder below it. A video holds the pictures
of several pairs, a frame each, in the list's order: given itself, those of all pairs; in a folder, those of what it is
named after, a protocol (`self.mp4`) or a stretch of video (column `video` of the exported list).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reenact.corpus.video import VIDEO_SUFFIXES, open_video
from reenact.errors import BadInput

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Place:
    """Where a pair's picture lies: a file, and in a video the frame."""

    file: Path
    frame: int | None = None


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What was found for a list of pairs."""

    places: Mapping[str, Place]  # by pair
    duplicates: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # pairs that several files claim
    extra: tuple[Path, ...] = ()  # pictures and videos that no pair has the name of


def match_files(source: Path, pairs: pd.DataFrame) -> Matched:
    """Find the pictures of `pairs` in a folder, or in one video.

    Raises BadInput where there is nothing of that name, where a video has another number of frames than pairs, or where
    no name fits; it says which names would.
    """
    if source.is_file():
        return Matched(places=_frames(source, list(pairs["pair"])))
    if not source.is_dir():
        raise BadInput(f"{source}: there is no such folder or video. Give --predictions the folder of pictures.")
    pictures, videos = _listed(source)
    claims: dict[str, list[Place]] = {}
    known = set(pairs["pair"])
    for file in pictures:
        if file.stem in known:
            claims.setdefault(file.stem, []).append(Place(file))
    groups = _groups(pairs)
    for file in videos:
        if file.stem in groups:
            for pair, place in _frames(file, groups[file.stem]).items():
                claims.setdefault(pair, []).append(place)
    if not claims:
        raise BadInput(_nothing_fits(source, [*pictures, *videos], pairs))
    named = {*known, *groups}
    return Matched(
        places={pair: places[0] for pair, places in claims.items() if len(places) == 1},
        duplicates={pair: tuple(p.file for p in places) for pair, places in claims.items() if len(places) > 1},
        extra=tuple(file for file in (*pictures, *videos) if file.stem not in named),
    )


def video_name(sequence: str) -> str:
    """The file name, without its ending, of a stretch of video: letters, digits, points and lines only."""
    return re.sub(r"[^\w.-]+", "_", sequence)


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures and videos below a folder, in the order of their names; hidden ones are nobody's."""
    files = sorted(
        path for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    return pictures, [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]


def _groups(pairs: pd.DataFrame) -> dict[str, list[str]]:
    """The pairs that a video of a name holds, in the list's order: by protocol, and by stretch of video."""
    groups = {str(name): list(group["pair"]) for name, group in pairs.groupby("protocol", sort=False)}
    shown = pairs[pairs["sequence"] != ""]
    for name, group in shown.groupby("sequence", sort=False):
        if (file := video_name(str(name))) in groups:
            raise BadInput(f"{file}: two stretches of the list would have videos of this name; hand in pictures.")
        groups[file] = list(group["pair"])
    return groups


def _frames(video: Path, pairs: list[str]) -> dict[str, Place]:
    with open_video(video) as frames:  # headers are often wrong, so they are counted
        count = sum(1 for _ in frames)
    if count != len(pairs):
        raise BadInput(
            f"{video}: has {count} frames, but there are {len(pairs)} pairs to show. It must show one frame per pair, "
            "in the list's order."
        )
    return {pair: Place(video, number) for number, pair in enumerate(pairs)}


def _nothing_fits(source: Path, files: Iterable[Path], pairs: pd.DataFrame) -> str:
    found = [file.name for file in files]
    seen = f"{len(found)} pictures or videos, such as {found[0]}" if found else "no pictures or videos"
    example = f"{pairs['pair'].iloc[0]}.png"
    return (
        f"{source}: holds {seen}, and none is named after a pair. A picture is named by its pair, for example "
        f"{example}; a video by its protocol, for example {pairs['protocol'].iloc[0]}.mp4. "
        "`reenact evaluate --export FOLDER` writes all names with the pictures to work on."
    )
