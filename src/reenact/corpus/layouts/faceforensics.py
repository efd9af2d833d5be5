"""FaceForensics++ (Rössler et al. 2019): original_sequences/{youtube,actors}/{raw,c23,c40}/videos; fakes are left."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name, in_order
from reenact.corpus.layouts.tree import Tree, stem_of, suffix_of
from reenact.corpus.video import VIDEO_SUFFIXES

TITLE = "FaceForensics++"
_BEST_FIRST = ("raw", "c23", "c40")
_ORIGINALS, _FAKES = ("original_sequences", "original"), "manipulated_sequences"
_METHODS = frozenset({"deepfakes", "face2face", "faceswap", "neuraltextures", "faceshifter", "deepfakedetection"})
_ACTOR = re.compile(r"(\d{2})__")


def recognise(tree: Tree) -> float | None:
    """Originals, beside fakes or in the tree of the download."""
    tops = {part.lower() for folder in tree.files for part in folder.split("/")}
    if "original_sequences" in tops:
        return 0.95
    return 0.85 if "original" in tops and tops & _METHODS else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per original, of one compression each; extracted frames where the videos are not there.

    Columns: compression, partner (the identity whose motion the published pairs drive it with).
    """
    splits = _splits(tree)
    partners = _partners(tree)
    chosen: dict[str, tuple[int, FoundClip]] = {}
    for rank, clip in _originals(tree, options):
        if clip.clip not in chosen or rank < chosen[clip.clip][0]:
            chosen[clip.clip] = (rank, clip)
    for name, (_, clip) in sorted(chosen.items()):
        video = name.removeprefix("youtube-")
        columns = {**clip.columns, "partner": f"youtube-{partners[video]}" if video in partners else ""}
        yield FoundClip(**{**vars(clip), "official_split": splits.get(video, ""), "columns": columns})


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Originals only; the split is of pairs."""
    fakes = [folder for folder in tree.files if _FAKES in folder.split("/") or _is_fake(folder)]
    count = sum(1 for folder in fakes for name in tree.files[folder] if suffix_of(name) in VIDEO_SUFFIXES)
    missing = [f"{count} manipulated videos: there, and not read; only originals show real motion"] if count else []
    if not _splits(tree):
        missing.append("splits/train.json, val.json, test.json: without them the split goes by identity")
    compressions = sorted({_compression(folder) for folder in tree.files} - {""})
    notes = ["every YouTube original is taken for another person; actors are told apart by their number"]
    if len(compressions) > 1:
        notes.append(f"there in {', '.join(compressions)}: fetch_data.options.compression chooses, auto takes the best")
    return LayoutFacts(
        licence="FaceForensics++: research only, terms of use of its authors",
        missing=tuple(missing),
        notes=tuple(notes),
        settings=("fetch_data.layout=faceforensics", f"fetch_data.options.compression={options.compression}"),
    )


def _originals(tree: Tree, options: LayoutOptions) -> Iterator[tuple[int, FoundClip]]:
    """(rank, clip): videos before frames, better compressions first."""
    for folder, names in tree.files.items():
        if not _is_original(folder):
            continue
        compression = _compression(folder)
        if options.compression not in ("auto", compression) and compression:
            continue
        rank = _BEST_FIRST.index(compression) if compression else 0
        for name in names:
            if suffix_of(name) in VIDEO_SUFFIXES:
                yield rank, _clip(folder, stem_of(name), "video", (tree.path(folder, name),), compression, 0.0)
        pictures = in_order([name for name in names if suffix_of(name) in PICTURE_SUFFIXES])
        if pictures:
            files = tuple(tree.path(folder, name) for name in pictures)
            video = folder.rpartition("/")[2]
            yield rank + 10, _clip(folder, video, "frames", files, compression, options.fps or 25.0)


def _clip(folder: str, video: str, kind: Any, files: tuple[Path, ...], compression: str, fps: float) -> FoundClip:
    actor = _ACTOR.match(video)
    source = "actors" if "actors" in folder.split("/") or actor else "youtube"
    return FoundClip(
        clip=clip_name(f"{source}-{video}"),
        identity=f"actors-{actor[1]}" if actor else f"{source}-{video}",
        kind=kind,
        files=files,
        fps=fps,
        columns={"compression": compression},
    )


def _is_original(folder: str) -> bool:
    parts = [part.lower() for part in folder.split("/")]
    return any(part in parts for part in _ORIGINALS) and "masks" not in parts and not _is_fake(folder)


def _is_fake(folder: str) -> bool:
    return bool({part.lower() for part in folder.split("/")} & _METHODS)


def _compression(folder: str) -> str:
    return next((part for part in folder.split("/") if part in _BEST_FIRST), "")


def _splits(tree: Tree) -> dict[str, Any]:
    """Original -> split."""
    return {video: split for split, pair in _listed(tree) for video in pair}


def _partners(tree: Tree) -> dict[str, str]:
    """Original -> the one it is paired with, both ways: every pair was manipulated in both directions."""
    pairs = [pair for _, pair in _listed(tree) if len(pair) == 2]
    return {a: b for pair in pairs for a, b in (pair, pair[::-1])}


def _listed(tree: Tree) -> Iterator[tuple[Any, list[str]]]:
    """(split, videos that stand together) of the published lists."""
    for split in ("train", "val", "test"):
        for path in tree.named(f"{split}.json")[:1]:
            try:
                pairs = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            for pair in pairs if isinstance(pairs, list) else ():
                yield split, [str(video) for video in (pair if isinstance(pair, list) else [pair])]
