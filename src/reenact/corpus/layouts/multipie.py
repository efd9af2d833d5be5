"""Multi-PIE (Gross et al. 2010): SUBJECT_SESSION_RECORDING_CAMERA_LIGHT.png, whatever folders they lie in."""

import re
from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name
from reenact.corpus.layouts.pictures import STILLS
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "Multi-PIE"
_NAME = re.compile(r"(\d{3})_(\d{2})_(\d{2})_(\d{3})_(\d{2})(?:_.*)?")
# Degrees to the side; the sign is that of published loaders. From 60 on the numbers are less well documented.
YAW = {
    "051": 0, "140": -15, "050": 15, "130": -30, "041": 30, "080": -45, "190": 45,
    "090": -60, "200": 60, "120": -75, "010": 75, "110": -90, "240": 90,
}  # fmt: skip


def recognise(tree: Tree) -> float | None:
    """A name of its pattern with a camera that exists."""
    names = (_NAME.fullmatch(stem_of(name)) for _, name in tree.having(PICTURE_SUFFIXES))
    return 0.95 if any(parts and parts[4] in YAW for parts in names) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per picture. Columns: session, recording, camera, camera_yaw (degrees), light."""
    for folder, name in tree.having(PICTURE_SUFFIXES):
        if not (parts := _NAME.fullmatch(stem_of(name))):
            continue
        subject, session, recording, camera, light = parts.groups()
        yield FoundClip(
            clip=clip_name(stem_of(name)),
            identity=f"multipie-{subject}",
            kind="still",
            files=(tree.path(folder, name),),
            columns={
                "session": session,
                "recording": recording,
                "camera": camera,
                "camera_yaw": str(YAW.get(camera, "")),
                "light": light,
            },
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Bought from Carnegie Mellon; expressions hide behind numbers."""
    return LayoutFacts(
        licence="Multi-PIE: research licence of Carnegie Mellon University",
        notes=(
            STILLS,
            "the recording's number stands for another expression in every session",
            "light 00 and 19 are without flash, 07 is frontal; a large pose is taken for 60 degrees or more",
        ),
        settings=("fetch_data.layout=multipie", "extract_frames.min_frames=1"),
    )
