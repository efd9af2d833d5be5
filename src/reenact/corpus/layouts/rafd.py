"""RaFD (Langner et al. 2010): Rafd090_01_Caucasian_female_angry_frontal.jpg, all in one folder."""

import re
from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name
from reenact.corpus.layouts.pictures import STILLS
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "RaFD, the Radboud Faces Database"
_NAME = re.compile(r"Rafd(\d{3})_(\d+)_(.+)_([^_]+)_([^_]+)_([^_]+)", re.IGNORECASE)
_FRONTAL = 90
_PICTURES = 8040


def recognise(tree: Tree) -> float | None:
    """A name of its pattern."""
    return 0.95 if any(_NAME.fullmatch(stem_of(name)) for _, name in tree.having(PICTURE_SUFFIXES)) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per picture. Columns: emotion, gaze, camera (its number), camera_turn (degrees away from frontal)."""
    for folder, name in tree.having(PICTURE_SUFFIXES):
        if not (parts := _NAME.fullmatch(stem_of(name))):
            continue
        camera, model, ethnicity, gender, emotion, gaze = parts.groups()
        yield FoundClip(
            clip=clip_name(stem_of(name)),
            identity=f"rafd-{int(model):02d}",
            kind="still",
            files=(tree.path(folder, name),),
            columns={
                "emotion": emotion.lower(),
                "gaze": gaze.lower(),
                "camera": camera,
                "camera_turn": str(abs(int(camera) - _FRONTAL)),
                "gender": gender.lower(),
                "group": ethnicity,
            },
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Ask the Radboud University."""
    count = sum(1 for _, name in tree.having(PICTURE_SUFFIXES) if _NAME.fullmatch(stem_of(name)))
    missing = (f"{_PICTURES - count} of {_PICTURES} pictures",) if count < _PICTURES else ()
    return LayoutFacts(
        licence="RaFD: research only, on request",
        missing=missing,
        notes=(STILLS, "cameras 000 and 180 are profiles: label_landmarks finds few of those"),
        settings=("fetch_data.layout=rafd", "extract_frames.min_frames=1"),
    )
