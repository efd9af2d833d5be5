"""What the alarms say of a scored row: per split, on self and on cross pairs. Pure functions of what was scored."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from reenact.alarms.coarse import coarse
from reenact.alarms.identity_collapse import IDENTITY_COLLAPSE, identity_collapse
from reenact.alarms.identity_leak import IDENTITY_LEAK, identity_leak
from reenact.alarms.mask_saturation import MASK_SATURATION, mask_saturation
from reenact.alarms.mode_collapse import MODE_COLLAPSE, mode_collapse
from reenact.alarms.no_face import NO_FACE, no_face
from reenact.alarms.not_finite import NOT_FINITE
from reenact.alarms.settings import EvaluateAlarms
from reenact.alarms.verdict import Limits, Verdict, unknown
from reenact.evaluation.metrics.metric import View
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.reference_names import NEAREST_FRAME
from reenact.evaluation.rows import frames_of, sources_for
from reenact.evaluation.scoring import Scored
from reenact.systems.protocol import System
from reenact.systems.watched import masks_of

PROTOCOLS = ("self", "cross")
MOST = 64  # pairs whose masks are looked at


def verdicts(
    scored: Mapping[str, Sequence[Scored]], row: str, limits: EvaluateAlarms, *, split: str = "test"
) -> list[Verdict]:
    """The verdicts on a row of the table: on unseen people where there are any, else on seen ones."""
    found = []
    for protocol in PROTOCOLS:
        group, nearest = (_group(scored.get(name, ()), split, protocol) for name in (row, NEAREST_FRAME))
        if group is not None:
            where = {"split": split, "protocol": protocol}
            found += _on_self(group, limits, where) if protocol == "self" else _on_cross(group, nearest, limits, where)
    return found


def mask_verdict(
    system: System,
    pictures: Pictures,
    pairs: pd.DataFrame,
    limits: EvaluateAlarms,
    *,
    device: torch.device | str,
    shots: int = 1,
    split: str = "test",
) -> Verdict:
    """The verdict on the masks of up to 64 self pairs; unknown for a system that mixes nothing by a mask."""
    where = {"split": split, "protocol": "self"}
    shown = pairs[(pairs["split"] == split) & (pairs["protocol"] == "self")].iloc[:MOST]
    if shown.empty:
        return unknown(MASK_SATURATION, f"there are no {split} self pairs", **where)
    sources = sources_for(shown, pictures, system.labels, shots).to(device)
    driving = pictures.faces(frames_of(shown, "driving"), system.labels, blind=True).to(device)
    with torch.inference_mode():
        masks = {name: mask.float().cpu().numpy() for name, mask in masks_of(system, sources, driving).items()}
    if not masks:
        return unknown(MASK_SATURATION, "the system mixes nothing by a mask", **where)
    value, worst = mask_saturation(masks)
    return MASK_SATURATION.of(value, limits.mask_saturation, note=f"The mask: {worst}", **where)


def _group(groups: Sequence[Scored], split: str, protocol: str) -> Scored | None:
    found = {
        str(group.pairs["identities"].iloc[0]): group
        for group in groups
        if (group.pairs["split"].iloc[0], group.pairs["protocol"].iloc[0]) == (split, protocol)
    }
    return found.get("unseen") or found.get("seen")


def _on_self(group: Scored, limits: EvaluateAlarms, where: Mapping[str, str]) -> list[Verdict]:
    """The true picture is the driver's: it says how different pictures should be."""
    return [*_seen(group, group.truth, limits, where), _finite(group, where)]


def _on_cross(group: Scored, nearest: Scored | None, limits: EvaluateAlarms, where: Mapping[str, str]) -> list[Verdict]:
    """There is no true picture: pictures should be as different as those of the sources."""
    known = group.read_for("csim_source")
    real = None if nearest is None else nearest.read_for("csim_source").generated.descriptor
    leak = identity_leak(known.source.descriptor, known.driving.descriptor, known.generated.descriptor, real)
    return [
        *_seen(group, group.source, limits, where),
        IDENTITY_LEAK.of(leak, limits.identity_leak, **where),
        _finite(group, where),
    ]


def _seen(group: Scored, real: View, limits: EvaluateAlarms, where: Mapping[str, str]) -> list[Verdict]:
    read = group.read_for("nme")
    moved = identity_collapse(read.source.landmarks, read.driving.landmarks, read.generated.landmarks)
    alike = mode_collapse(coarse(real.pixels), coarse(group.generated.pixels))
    drawn = group.generated.usable
    lost = no_face(group.driving.found[drawn], group.generated.found[drawn])
    return [
        IDENTITY_COLLAPSE.of(moved, limits.identity_collapse, **where),
        MODE_COLLAPSE.of(alike, limits.mode_collapse, **where),
        NO_FACE.of(lost, limits.no_face, **where),
    ]


def _finite(group: Scored, where: Mapping[str, str]) -> Verdict:
    missed = 1.0 - float(group.generated.usable.mean())
    return NOT_FINITE.of(missed, Limits(warning=0.0, alarm=0.0), **where)
