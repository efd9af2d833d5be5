"""Backgrounds of choice: is the given picture left alone where there is no face, and does the mask cover the face?

Pairs within a person are drawn twice: before a picture of another person's clip, with that person painted over
(`another`), and as ever before the source's own surroundings (`own`). Where the driving frame's segments say
background, 4 px off the edge, the result should be the given picture. Figures: background_figures.py.
"""

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from reenact.evaluation.background_figures import ANOTHER, OWN, WITHIN
from reenact.evaluation.metrics.ssim import ssim
from reenact.evaluation.pictures import Frames, Pictures
from reenact.evaluation.rows import Drawn, as_pictures, frames_of, sources_for
from reenact.evaluation.sample_pairs import encoded
from reenact.faces.batch import Faces
from reenact.systems.offers import Backgrounds, unmixed
from reenact.systems.watched import masks_of

OFF_EDGE = 4.0  # px from face or hair: labels of an edge are no better
SHOWN = 8  # pairs of each kind whose pictures are kept for the report
_GREY = 128  # what stands where face and hair were
MASK = "mixer"  # name of the mask, where a system has several
COLUMNS = (
    "pair", "identity", "given", "background", "drawn", "places", "mean", "p95", "largest", "within", "iou", "ssim",
    "ssim_unmixed", "source", "driver", "before", "result", "mask",
)  # fmt: skip

Images = NDArray[np.uint8]


def swapped_pairs(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """`count` test pairs within a person at most, of as many people as can be; only unseen ones where there are any."""
    test = pairs[(pairs["split"] == "test") & (pairs["protocol"] == "self")]
    unseen = test["identities"] == "unseen"
    test = test[unseen] if unseen.any() else test
    turn = test.groupby("source_identity").cumcount()
    return test.iloc[np.argsort(turn.to_numpy(), kind="stable")].iloc[:count].reset_index(drop=True)


def swap_backgrounds(
    system: Backgrounds,
    pictures: Pictures,
    pairs: pd.DataFrame,
    *,
    count: int,
    shots: int,
    batch: int,
    device: torch.device | str,
) -> pd.DataFrame:
    """A row per pair and kind of background, `COLUMNS`.

    `mean`, `p95`, `largest`: grey levels between result and given picture, of the channel that is furthest off, over
    the `places` (pixels) that are background; `within`: the share of them that 2 levels hold for. `iou`: of mask > 0.5
    and face + hair of the driving frame; with the own background the mask also fills the place where the source's face
    was. `ssim` with the own background is against the true picture, beside it the same without the mixer. Pictures are
    JPEG, null beyond the first pairs.
    """
    everybody = swapped_pairs(pairs, len(pairs))
    chosen = everybody.iloc[:count]
    with torch.inference_mode():
        tables = [
            _batch(
                system, pictures, chosen.iloc[start : start + batch], shots, device, first=start, everybody=everybody
            )
            for start in range(0, len(chosen), batch)
        ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _batch(
    system: Backgrounds,
    pictures: Pictures,
    pairs: pd.DataFrame,
    shots: int,
    device: torch.device | str,
    *,
    first: int,
    everybody: pd.DataFrame,
) -> pd.DataFrame:
    source_frames, driving_frames = frames_of(pairs, "source"), frames_of(pairs, "driving")
    sources = sources_for(pairs, pictures, system.labels, shots).to(device)
    driving = pictures.faces(driving_frames, system.labels, blind=True).to(device)
    foreground = foregrounds(pictures, driving_frames)
    behind = far_from(foreground)
    originals, drivers = pictures.many(source_frames), pictures.many(driving_frames)
    drawn = as_pictures(system.reenact(sources, driving).float().cpu())
    own = _likenesses(system, pictures, pairs, sources, driving, drawn)
    source_foreground = foregrounds(pictures, source_frames)
    emptied = np.where(source_foreground[..., None], np.uint8(_GREY), originals)
    others = [another(everybody, first + place) for place in range(len(pairs))]
    swaps = [
        (OWN, emptied, behind & far_from(source_foreground), source_frames, drawn, _mask(system, sources, driving))
    ]
    if all(frame is not None for frame in others):
        theirs = [frame for frame in others if frame is not None]
        before = painted_over(pictures.many(theirs), foregrounds(pictures, theirs))
        swaps.insert(0, (ANOTHER, before, behind, theirs, *_before(system, sources, driving, before, device)))
    rows = []
    for given, before, places, frames, result, mask in swaps:
        covered = np.full(len(pairs), np.nan) if mask is None else overlap(mask, foreground)
        for place, errors in enumerate(errors_of(result, before, places)):
            shown = first + place < SHOWN
            seen = {"source": originals, "driver": drivers, "before": before, "result": result.pictures}
            rows.append({
                "pair": str(pairs["pair"].iloc[place]),
                "identity": str(pairs["source_identity"].iloc[place]),
                "given": given,
                "background": f"{frames[place][0]} #{frames[place][1]}",
                "drawn": bool(result.usable[place]),
                **errors,
                "iou": covered[place],
                **{name: values[place] if given == OWN else np.nan for name, values in own.items()},
                **{name: encoded(images[place]) if shown else None for name, images in seen.items()},
                "mask": encoded(_as_grey(mask[place])) if shown and mask is not None else None,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def another(pairs: pd.DataFrame, place: int) -> tuple[str, int] | None:
    """The driving frame of the next pair in the list that shows somebody else; None where everybody is one person."""
    turned = pd.concat([pairs.iloc[place + 1 :], pairs.iloc[:place]])
    strangers = turned[turned["source_identity"] != pairs["source_identity"].iloc[place]]
    return None if strangers.empty else frames_of(strangers.iloc[:1], "driving")[0]


def foregrounds(pictures: Pictures, frames: Frames) -> NDArray[np.bool_]:
    """(N, S, S): face and hair by the frames' segments, at the size of the pictures."""
    corpus, side = pictures.corpus, (pictures.size, pictures.size)
    labelled = [np.asarray(corpus.segments(corpus.by_name[clip])[frame]) for clip, frame in frames]
    return np.stack([cv2.resize(one, side, interpolation=cv2.INTER_NEAREST_EXACT) > 0 for one in labelled])


def far_from(foreground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, S, S): background more than `OFF_EDGE` away from the nearest pixel of face or hair; a border is no edge."""
    return np.stack([
        cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > OFF_EDGE
        if one.any() else np.ones_like(one)
        for one in foreground
    ])  # fmt: skip


def errors_of(result: Drawn, before: Images, places: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Per picture `places` to `within`, see `swap_backgrounds`; NaN where nothing is drawn or nothing is background."""
    off = np.abs(result.pictures.astype(np.int16) - before.astype(np.int16)).max(axis=-1)
    found = []
    for levels, where, usable in zip(off, places, result.usable, strict=True):
        at = levels[where] if usable else levels[:0, 0]
        known = len(at) > 0
        found.append({
            "places": float(len(at)),
            "mean": float(at.mean()) if known else np.nan,
            "p95": float(np.percentile(at, 95)) if known else np.nan,
            "largest": float(at.max()) if known else np.nan,
            "within": float((at <= WITHIN).mean()) if known else np.nan,
        })  # fmt: skip
    return found


def overlap(mask: NDArray[np.floating], foreground: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,): intersection over union of (N, S, S) mask > 0.5 and foreground; NaN where both are empty."""
    inside = mask > 0.5
    either = (inside | foreground).sum(axis=(1, 2))
    both = (inside & foreground).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def painted_over(images: Images, foreground: NDArray[np.bool_]) -> Images:
    """Pictures (N, S, S, 3) with face and hair, and a pixel or two around them, filled from their surroundings."""
    masks = (cv2.dilate(one.astype(np.uint8), np.ones((5, 5), np.uint8)) for one in foreground)
    return np.stack([cv2.inpaint(image, mask, 3, cv2.INPAINT_TELEA) for image, mask in zip(images, masks, strict=True)])


def _likenesses(
    system: Backgrounds, pictures: Pictures, pairs: pd.DataFrame, sources: Faces, driving: Faces, drawn: Drawn
) -> dict[str, NDArray[np.float64]]:
    truth = pictures.many(frames_of(pairs, "truth")) / 255.0
    bare = unmixed(system)
    without = None if bare is None else as_pictures(bare.reenact(sources, driving).float().cpu())
    return {
        "ssim": _likeness(drawn, truth),
        "ssim_unmixed": np.full(len(pairs), np.nan) if without is None else _likeness(without, truth),
    }


def _mask(system: Backgrounds, sources: Faces, driving: Faces) -> NDArray[np.float32] | None:
    masks = masks_of(system, sources, driving)
    chosen = masks.get(MASK, next(iter(masks.values())) if len(masks) == 1 else None)
    return None if chosen is None else chosen.float().reshape(len(chosen), *chosen.shape[-2:]).cpu().numpy()


def _before(
    system: Backgrounds, sources: Faces, driving: Faces, before: Images, device: torch.device | str
) -> tuple[Drawn, NDArray[np.float32]]:
    background = torch.from_numpy(before).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).to(device)
    drawn = as_pictures(system.on_background(sources, driving, background).float().cpu())
    return drawn, system.mask_on(sources, driving, background).float().cpu().numpy()


def _likeness(drawn: Drawn, truth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(drawn.usable, ssim(drawn.pictures / 255.0, truth), np.nan)


def _as_grey(mask: NDArray[np.floating]) -> Images:
    level = np.round(np.clip(np.nan_to_num(mask), 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=-1)
