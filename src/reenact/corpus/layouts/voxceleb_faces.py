"""VoxCeleb1's package of faces, one a second: unzippedFaces/NAME/1.6/VIDEO/*.jpg."""

from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name, in_order, person_name
from reenact.corpus.layouts.tree import Tree, suffix_of
from reenact.corpus.layouts.voxceleb import _SETS, LICENCE, _known, read_meta

TITLE = "VoxCeleb1 faces at one frame a second"
_SCALE = "1.6"  # of the crop, in sizes of the detected face


def recognise(tree: Tree) -> float | None:
    """Pictures below NAME/1.6/VIDEO."""
    return 0.95 if any(_is_video(folder) for folder in tree.files) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per YouTube video."""
    meta = read_meta(tree)
    for folder, names in tree.files.items():
        pictures = in_order([name for name in names if suffix_of(name) in PICTURE_SUFFIXES])
        if not (pictures and _is_video(folder)):
            continue
        person, _, video = folder.split("/")[-3:]
        facts = meta.get(person, {})
        yield FoundClip(
            clip=clip_name(person, video),
            identity=person_name(person),
            kind="frames",
            files=tuple(tree.path(folder, name) for name in pictures),
            fps=options.fps or 1.0,
            official_split=_SETS.get(facts.get("set", ""), ""),  # type: ignore[arg-type]
            columns={"source_video": video, **_known(facts)},
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """A face a second is no motion."""
    missing = [] if read_meta(tree) else ["vox1_meta.csv: sex, nationality, and the set of each person"]
    empty = sum(1 for folder, names in tree.files.items() if _is_video(folder) and not names)
    if empty:
        missing.append(f"pictures of {empty} videos: their folders are empty")
    return LayoutFacts(
        licence=LICENCE,
        missing=tuple(missing),
        notes=(
            "one face a second: pairs of a clip differ in pose and light, and there is no motion to drive with",
            "faces are cropped tightly: extract_frames.crop_scale repeats border pixels beyond them",
        ),
        settings=("fetch_data.layout=voxceleb_faces", "extract_frames.crop_scale=1.5"),
    )


def _is_video(folder: str) -> bool:
    parts = folder.split("/")
    return len(parts) > 2 and parts[-2] == _SCALE
