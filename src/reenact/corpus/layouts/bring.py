"""Found clips into the folder `videos/`: videos copied, pictures packed, labels put beside them."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reenact.corpus.annotations import (
    ACTIONS,
    LANDMARKS,
    OPENFACE,
    Annotation,
    read_actions_pickle,
    read_landmark_pickle,
    read_pts,
    write_annotation,
)
from reenact.corpus.layouts.found import FoundClip, LayoutOptions
from reenact.corpus.layouts.names import printable
from reenact.corpus.layouts.selection import Ranges, Taken
from reenact.corpus.packs import PACK_SUFFIX, write_pack
from reenact.corpus.video import open_video
from reenact.errors import BadInput
from reenact.hashing import hash_file

STILLS = "stills"  # the folder of packs
Row = dict[str, Any]


class Bringer:
    """Fills one folder; `notes` are (clip, file, sentence) of what can't be used or read, in the order found."""

    def __init__(self, folder: Path, *, root: Path, options: LayoutOptions, link: bool) -> None:
        self.folder, self.root, self.options, self.link = folder, root, options, link
        self.notes: list[tuple[str, str, str]] = []
        self._intensities: dict[Path, dict[str, Any]] = {}

    def bring(self, taken: Iterable[Taken]) -> Iterator[Row]:
        """A row of the table of clips for each that could be brought; stills last, a pack after another.

        Stills are dealt to packs by the hash of their names, so that one more changes one pack.
        """
        stills: dict[str, list[Taken]] = defaultdict(list)
        for one in taken:
            if one.clip.kind == "still":
                stills[hashlib.sha256(one.clip.clip.encode()).hexdigest()[:2]].append(one)
            else:
                yield from self._one(one)
        for name, listed in sorted(stills.items()):
            yield from self._pack(name, listed)

    def _one(self, taken: Taken) -> Iterator[Row]:
        """A clip with a file of its own."""
        clip = taken.clip
        name = f"{clip.clip}{PACK_SUFFIX if clip.kind == 'frames' else clip.files[0].suffix.lower()}"
        path = self.folder / name
        try:
            if clip.kind == "frames":
                write_pack(path, ((printable(file.name), file.read_bytes()) for file in clip.files), fps=clip.fps)
            else:
                copy(clip.files[0], path, link=self.link)
        except OSError as error:
            if _disk_is_at_fault(error, path):
                raise
            path.unlink(missing_ok=True)
            self._note(clip, f"can't be read ({error.strerror}).", Path(error.filename or clip.files[0]))
            return
        beside = self._write(clip.clip, {LANDMARKS: [("", self._landmarks(clip))]})
        if clip.openface:
            copy(clip.openface, self.folder / f"{clip.clip}{OPENFACE}", link=False)
            beside.append(f"{clip.clip}{OPENFACE}")
        if clip.pts and clip.kind == "video":
            self._compare_counts(clip, path)
        yield _row(clip, name, "", hash_file(path), path.stat().st_size, beside, taken.excluded)

    def _pack(self, name: str, stills: list[Taken]) -> Iterator[Row]:
        """Many stills in one file."""
        (self.folder / STILLS).mkdir(exist_ok=True)
        stem = f"{STILLS}/{name}"
        brought: list[tuple[FoundClip, str, str, int]] = []

        def pictures() -> Iterator[tuple[str, bytes]]:
            for clip in (one.clip for one in stills):
                try:
                    data = clip.files[0].read_bytes()
                except OSError as error:
                    self._note(clip, f"can't be read ({error.strerror}).")
                    continue
                member = f"{clip.clip}{clip.files[0].suffix.lower()}"
                brought.append((clip, member, hashlib.sha256(data).hexdigest(), len(data)))
                yield member, data

        write_pack(self.folder / f"{stem}{PACK_SUFFIX}", pictures())
        labels = {
            LANDMARKS: [(member, self._landmarks(clip)) for clip, member, _, _ in brought],
            ACTIONS: [(member, self._actions(clip)) for clip, member, _, _ in brought],
        }
        beside = self._write(stem, labels)
        for clip, member, digest, size in brought:
            own = [file for file, (_, there) in zip(beside, _kept(labels), strict=True) if member in there]
            yield _row(clip, f"{stem}{PACK_SUFFIX}", member, digest, size, own, ())

    def _write(self, stem: str, labels: Mapping[str, list[tuple[str, Annotation | None]]]) -> list[str]:
        """The files written, in the order of `_kept`."""
        names = []
        for suffix, _ in _kept(labels):
            parts = [(member, part) for member, part in labels[suffix] if part is not None]
            write_annotation(self.folder / f"{stem}{suffix}", "points" if suffix == LANDMARKS else "actions", parts)
            names.append(f"{stem}{suffix}")
        return names

    def _landmarks(self, clip: FoundClip) -> Annotation | None:
        """From .pts files or a pickle; what is broken is noted, once for the clip."""
        if clip.points:
            return self._read(clip, partial(read_landmark_pickle, clip.points))
        frames, points, broken = [], [], list[str]()
        for frame, path in sorted(clip.pts.items()):
            try:
                points.append(read_pts(path) - self.options.pts_offset)
                frames.append(frame)
            except BadInput as error:
                broken.append(str(error))
        if broken:
            more = f" ({len(broken)} of {len(clip.pts)} files like this)" if len(broken) > 1 else ""
            self._note(clip, f"landmarks left out{more}: {self._relative_sentence(broken[0])}")
        if not points:
            return None
        return Annotation(frames=np.array(frames, dtype=np.int64), values=np.array(points, dtype=np.float32))

    def _actions(self, clip: FoundClip) -> Annotation | None:
        """From a pickle of many pictures, which is read once; a broken one is noted once."""
        path = clip.actions
        if path is None:
            return None
        if path not in self._intensities:
            self._intensities[path] = self._read(clip, partial(read_actions_pickle, path)) or {}
        values = self._intensities[path].get(clip.files[0].stem)
        return None if values is None else Annotation(frames=np.zeros(1, dtype=np.int64), values=values[None])

    def _read(self, clip: FoundClip, read: Any) -> Any:
        try:
            return read()
        except BadInput as error:
            self._note(clip, f"labels left out: {self._relative_sentence(str(error))}")
            return None

    def _compare_counts(self, clip: FoundClip, path: Path) -> None:
        try:
            with open_video(path) as video:
                claimed = video.facts.frames
        except BadInput:
            return  # extract_frames says what is wrong with it
        if claimed and claimed != (last := max(clip.pts) + 1):
            self._note(
                clip, f"claims {claimed} frames, its .pts files count {last}: paired by number, the rest is bare."
            )

    def _note(self, clip: FoundClip, sentence: str, file: Path | None = None) -> None:
        name = self.relative(file or clip.files[0])
        self.notes.append((clip.clip, name, f"{name}: {sentence}"))

    def relative(self, path: Path) -> str:
        """The file as its owner knows it."""
        inside = path.is_relative_to(self.root)
        return printable((path.relative_to(self.root) if inside else path).as_posix())

    def _relative_sentence(self, sentence: str) -> str:
        return printable(sentence.replace(f"{self.root}/", ""))


def copy(origin: Path, path: Path, *, link: bool) -> None:
    """A hard link where wanted and possible (same file system), else a copy."""
    import shutil

    path.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(origin.resolve(), path)
            return
        except OSError:
            pass
    shutil.copyfile(origin, path)


def _kept(labels: Mapping[str, list[tuple[str, Annotation | None]]]) -> list[tuple[str, set[str]]]:
    """(suffix, members that have one) of the kinds of labels that anything has."""
    having = [(suffix, {member for member, part in parts if part is not None}) for suffix, parts in labels.items()]
    return [(suffix, members) for suffix, members in having if members]


def _row(
    clip: FoundClip, file: str, member: str, digest: str, size: int, beside: list[str], excluded: Ranges
) -> Row:  # fmt: skip
    return {
        "clip": clip.clip,
        "file": file,
        "member": member,
        "kind": clip.kind,
        "identity": clip.identity,
        "sha256": digest,
        "bytes": size,
        "official_split": clip.official_split,
        "annotation": " ".join(beside),
        "excluded": " ".join(f"{first}-{last}" for first, last in excluded),
        **{name: printable(value) for name, value in clip.columns.items()},
    }


def _disk_is_at_fault(error: OSError, path: Path) -> bool:
    """Whether the folder written to failed, rather than the one file read."""
    import errno

    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) or error.filename == str(path)
