"""The layouts by name, and which of them a folder has."""

from importlib import import_module
from typing import TYPE_CHECKING

from reenact.config import nearest
from reenact.corpus.layouts.names import PICTURE_SUFFIXES
from reenact.corpus.layouts.tree import Tree
from reenact.corpus.video import VIDEO_SUFFIXES
from reenact.errors import BadInput, SettingsError

if TYPE_CHECKING:
    from reenact.corpus.layouts.found import Layout

# What is surer of itself goes first; where two are equally sure, the earlier one.
NAMES = {
    "300vw": "w300vw", "voxceleb": "voxceleb", "voxceleb_faces": "voxceleb_faces", "celeba": "celeba",
    "ganimation": "ganimation", "ijbc": "ijbc", "ijbc_repack": "ijbc_repack", "faceforensics": "faceforensics",
    "rafd": "rafd", "multipie": "multipie", "people": "people", "videos": "videos", "sequences": "sequences",
    "pictures": "pictures",
}  # fmt: skip


def layout_named(name: str) -> "Layout":
    """The module of a layout; raises SettingsError for an unknown name."""
    if name not in NAMES:
        raise SettingsError(f"fetch_data.layout: there is no layout {name!r}{nearest(name, ['auto', *NAMES])}")
    return import_module(f"reenact.corpus.layouts.{NAMES[name]}")


def candidates(tree: Tree) -> list[tuple[str, float]]:
    """(name, confidence) of the layouts that recognise the folder, the surest first."""
    sure = [(name, layout_named(name).recognise(tree)) for name in NAMES]
    return sorted(((name, value) for name, value in sure if value), key=lambda one: -one[1])


def choose(tree: Tree, wanted: str = "auto") -> str:
    """The name of the layout to use; raises BadInput where nothing is recognised."""
    if wanted != "auto":
        layout_named(wanted)
        return wanted
    found = candidates(tree)
    if not found:
        kinds = " ".join(sorted(VIDEO_SUFFIXES | PICTURE_SUFFIXES))
        raise BadInput(
            f"{tree.root}: no videos here and no pictures (looked for {kinds}, also in all folders below). "
            "Check fetch_data.videos."
        )
    return found[0][0]
