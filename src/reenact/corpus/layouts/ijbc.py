"""IJB-C as NIST packed it (Maze et al. 2018): img/, frames/ (or videos/) and protocol CSVs that say who is where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name, in_order
from reenact.corpus.layouts.tables import header, read_rows
from reenact.corpus.layouts.tree import Tree, stem_of, suffix_of
from reenact.corpus.video import VIDEO_SUFFIXES
from reenact.errors import BadInput

TITLE = "IJB-C"
_NEEDED = ("SUBJECT_ID", "FILENAME")
_VIDEO_COLUMNS = ("VIDEO_ID", "SIGHTING_ID", "MEDIA_ID")
_LOOKED_AT = 200  # tables whose first line is read


@dataclass
class _Media:
    subject: str
    kind: Literal["video", "frames", "still"]
    files: list[str] = field(default_factory=list)


def recognise(tree: Tree) -> float | None:
    """A protocol table whose columns are SUBJECT_ID and FILENAME."""
    return 0.9 if _tables(tree) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """Stills, and for every subject the frames of each video; a picture of two subjects belongs to both."""
    for name, media in sorted(_media(tree).items()):
        yield FoundClip(
            clip=clip_name(name),
            identity=f"ijbc-{media.subject}",
            kind=media.kind,
            files=tuple(tree.root / file for file in media.files),
            fps=(options.fps or 1.0) if media.kind == "frames" else 0.0,
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Distribution has ended; the frames are no motion."""
    listed, there = _listed(tree), _there(tree)
    absent = sorted({file for _, file, _ in listed if file not in there})
    missing = [f"{len(absent)} files that the tables name, for example {absent[0]}"] if absent else []
    if not any(suffix_of(file) in VIDEO_SUFFIXES for _, file, _ in listed):
        missing.append("the full-motion videos: published results on IJB-C videos stand on those, not on these frames")
    return LayoutFacts(
        licence="IJB-C: research only, terms of NIST; no longer given out",
        missing=tuple(missing),
        notes=(
            "frames are single annotated ones of a video, seconds apart: taken at 1 a second, no motion to drive with",
            "boxes of the tables are not read: where several people are seen, the most prominent is followed; set "
            "faces aside by hand or check identities with extract_frames.tracks.recognise",
            "IJB-C can't be had any more; VoxCeleb2 serves where its videos are asked for",
        ),
        settings=("fetch_data.layout=ijbc", "extract_frames.min_frames=1"),
    )


def _media(tree: Tree) -> dict[str, _Media]:
    """Name of the clip -> what belongs to it, of the files that are there."""
    there, media = _there(tree), dict[str, _Media]()
    for subject, file, video in sorted(set(_listed(tree))):
        if file not in there:
            continue
        stem = stem_of(Path(file).name)
        if suffix_of(file) in VIDEO_SUFFIXES:
            name, kind = f"{subject}-video-{stem}", "video"
        elif "frames" in Path(file).parts:
            name, kind = f"{subject}-frames-{video or stem.rpartition('_')[0] or stem}", "frames"
        else:
            name, kind = f"{subject}-img-{stem}", "still"
        entry = media.setdefault(name, _Media(subject=subject, kind=kind))  # type: ignore[arg-type]
        if there[file] not in entry.files:
            entry.files.append(there[file])
    for entry in media.values():
        entry.files = in_order(entry.files)
    return media


def _listed(tree: Tree) -> list[tuple[str, str, str]]:
    """(subject, file as the tables name it, video where a column says) of all tables."""
    listed = []
    for path in _tables(tree):
        for row in read_rows(path):
            if row.get("SUBJECT_ID") and row.get("FILENAME"):
                video = next((row[column] for column in _VIDEO_COLUMNS if row.get(column)), "")
                listed.append((row["SUBJECT_ID"], row["FILENAME"].lstrip("./"), video))
    return listed


def _there(tree: Tree) -> dict[str, str]:
    """Name in the tables (folder/file) -> path below the root, wherever img/ and frames/ stand."""
    found = {}
    for folder, name in tree.having(PICTURE_SUFFIXES | VIDEO_SUFFIXES):
        path = f"{folder}/{name}" if folder else name
        found[path] = path
        found.setdefault("/".join(path.split("/")[-2:]), path)
    return found


def _tables(tree: Tree) -> list[Path]:
    paths = [tree.path(*one) for one in tree.having(frozenset({".csv"}))][:_LOOKED_AT]
    return [path for path in paths if _is_protocol(path)]


def _is_protocol(path: Path) -> bool:
    try:
        return set(_NEEDED) <= {name.strip(' "\r\n') for name in header(path).split(",")}
    except BadInput:
        return False
