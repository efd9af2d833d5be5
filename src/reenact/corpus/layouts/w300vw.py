"""300VW (Shen et al. 2015): `NNN/vid.avi` with `NNN/annot/000001.pts`, ...; the split is in no file of the download."""

import re
from collections.abc import Iterator
from pathlib import Path

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import number_of
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "300VW"
# The benchmark's lists: 50 videos to train on, three categories of 31, 19 and 14 to test on.
_LISTS = {
    "train": "001 002 003 004 007 009 010 011 013 015 016 017 018 019 020 022 025 027 028 029 031 033 034 035 037 039 "
    "041 043 044 046 047 048 049 053 057 059 112 113 115 119 120 123 138 143 144 160 204 205 223 225",
    "1": "114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 525 537 538 540 "
    "541 546 547 548",
    "2": "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553",
    "3": "410 411 516 517 526 528 529 530 531 533 557 558 559 562",
}
PARTS = {video: part for part, videos in _LISTS.items() for video in videos.split()}  # train, or category of the test


def recognise(tree: Tree) -> float | None:
    """Folders of three digits with `vid.avi`."""
    return 0.95 if _folders(tree) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per video, .pts files paired by number: 000001.pts is frame 0. Column `category`: 1 to 3, of the test."""
    for folder in _folders(tree):
        video = folder.rpartition("/")[2]
        part = PARTS.get(video, "")
        yield FoundClip(
            clip=video,
            kind="video",
            files=(tree.path(folder, _video(tree, folder)),),
            official_split="" if not part else "train" if part == "train" else "test",
            pts=_points(tree, f"{folder}/annot"),
            columns={"category": part.removeprefix("train")},
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Research only; some frames are usually left out by a list."""
    folders = _folders(tree)
    missing = []
    if len(folders) < len(PARTS):
        missing.append(f"{len(PARTS) - len(folders)} of {len(PARTS)} videos")
    if bare := [folder.rpartition("/")[2] for folder in folders if not _points(tree, f"{folder}/annot")]:
        missing.append(f"annot/*.pts of {', '.join(bare[:5])}{' ...' if len(bare) > 5 else ''}")
    return LayoutFacts(
        licence="300VW: research only, ask the iBUG group",
        missing=tuple(missing),
        notes=(
            "every video is taken for another person",
            "the split into 50 training videos and three test categories is built in",
            "published frame counts are 2,127 below the annotated ones: name a list of frames to leave out in "
            "fetch_data.exclude",
        ),
        settings=("fetch_data.layout=300vw", "validate_data.split.official=true", "label_landmarks.backend=files"),
    )


def _folders(tree: Tree) -> list[str]:
    return [
        folder
        for folder in tree.files
        if re.fullmatch(r"\d{3}", folder.rpartition("/")[2]) and _video(tree, folder)
    ]  # fmt: skip


def _video(tree: Tree, folder: str) -> str:
    return next((name for name in tree.files[folder] if name.lower() in ("vid.avi", "vid.mp4")), "")


def _points(tree: Tree, folder: str) -> dict[int, Path]:
    numbered = ((number_of(stem_of(name)), name) for name in tree.files.get(folder, ()) if name.endswith(".pts"))
    return {number - 1: tree.path(folder, name) for number, name in numbered if number}
