"""Draw a face with edited action units and angles, before any background: what `reenact edit` and others use."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.errors import BadInput
from reenact.evaluation.rows import as_pictures
from reenact.faces.batch import Faces
from reenact.faces.edits import each_edited
from reenact.systems.given import check_driving, check_sources
from reenact.systems.offers import can_edit, can_swap_background
from reenact.systems.protocol import System, exact_sources, own_shots

Images = NDArray[np.uint8]


def draw_edits(
    system: System, sources: Faces, edits: Sequence[Mapping[str, float]], *, background: Images | None = None
) -> Images:
    """(N, S, S, 3) RGB: the person of (K, ...) labelled sources, each time with the first one's motion, edited.

    `edits`: N mappings as of faces.edits.edited, {} for none. `background`: (S, S, 3) RGB, to stand in place of the
    source's own. Raises BadInput for what the system doesn't offer, for edits that can't be and for pictures that are
    not finite.
    """
    check_offers(system, edits=any(edits), background=background is not None)
    shots = len(sources.image)
    if exact_sources(system) and shots != own_shots(system):
        raise BadInput(
            f"{system.name} draws from {own_shots(system)} source pictures and no other number, not {shots}."
        )
    shown = sources[torch.arange(shots).expand(len(edits), shots)]
    # a driving face's picture is never read: NaN would show it
    driving = replace(each_edited(sources[:1], edits), image=torch.full_like(shown.image[:, 0], float("nan")))
    check_sources(shown, size=system.size)
    check_driving(driving, samples=len(edits))
    with torch.inference_mode():
        if background is not None and can_swap_background(system):
            behind = (
                torch.from_numpy(background.copy()).permute(2, 0, 1).float().div(127.5).sub(1.0).to(shown.image.device)
            )
            images = system.on_background(shown, driving, behind.expand(len(edits), -1, -1, -1))
        else:
            images = system.reenact(shown, driving)
    drawn = as_pictures(images.float().cpu())
    if not drawn.usable.all():
        raise BadInput("the system drew values that are no numbers: its training went wrong. Train it again.")
    return drawn.pictures


def check_offers(system: System, *, edits: bool, background: bool) -> None:
    """Raises BadInput where a system can't do what it is asked for."""
    name = getattr(system, "name", "this system")
    if edits and not can_edit(system):
        raise BadInput(
            f"{name} follows landmarks, so changed action units and angles would change nothing. Edit with a system "
            "that moves by action units, as facegan with its landmark transformer."
        )
    if background and not can_swap_background(system):
        raise BadInput(f"{name} has no background mixer to put another picture behind a face, as facegan has.")
