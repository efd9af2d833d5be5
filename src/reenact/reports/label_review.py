"""Labels to look at: a contact sheet of each clip's frames with all that was read from them, the worst clips first."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.atomic import write_text
from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.shards import Image, has_array, read_array, read_rows
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.pose import ANGLES
from reenact.reports.overlay import LEGEND, resized, with_landmarks, with_pose, with_segments
from reenact.reports.page import page, picture, section
from reenact.reports.sparklines import sparkline

LARGEST = 2_600_000  # characters of clips on one page
_SIDE, _FRAMES = 144, 8
_WORST_FIT = 0.15  # outer eye distances, the top of its curve
_QUALITY = {"blur": (0.0, 1.0), "exposure": (0.0, 1.0), "clipped": (0.0, 1.0), "occlusion": (0.0, 1.0)}


def worst_clips(corpus: Corpus, most: int) -> list[Clip]:
    """The `most` clips that deserve a look: by frames without landmarks, then by how badly the fit explains them.

    The measure is the share of the video's frames that are lost or have no trusted landmarks, plus the fit error (in
    outer eye distances) that 5 % of the clip's frames exceed.
    """
    lost = dict(zip(corpus.table["clip"], corpus.table["frames_lost"], strict=True))

    def badness(clip: Clip, fit_error: NDArray[np.float64]) -> float:
        found = np.asarray(corpus.found(clip)).astype(bool)
        missing = (lost[clip.clip] + (~found).sum()) / max(lost[clip.clip] + len(found), 1)
        errors = fit_error[clip.start : clip.start + clip.count][found]
        errors = errors[np.isfinite(errors)]
        return float(missing + (np.quantile(errors, 0.95) if len(errors) else 0.0))

    by_shard: dict[str, list[Clip]] = {}
    for clip in corpus.clips:
        by_shard.setdefault(clip.shard, []).append(clip)
    bad: dict[str, float] = {}
    for shard, clips in by_shard.items():  # a table is read once, also where hundreds of pictures share it
        fit_error = _shard_fit_error(corpus, shard, rows=max(clip.start + clip.count for clip in clips))
        bad |= {clip.clip: badness(clip, fit_error) for clip in clips}
    return sorted(corpus.clips, key=lambda clip: (-bad[clip.clip], clip.clip))[:most]


def named_clips(corpus: Corpus, names: Iterable[str]) -> list[Clip]:
    """Clips by their ids; raises BadInput for one that the corpus does not have."""
    chosen = []
    for name in names:
        if name not in corpus.by_name:
            raise BadInput(
                f"{name}: there is no such clip in {corpus.folders['frames']}. Its clips.parquet lists them."
            )
        chosen.append(corpus.by_name[name])
    return chosen


def write_review(path: Path, corpus: Corpus, clips: Sequence[Clip], *, segments: Path | None = None) -> int:
    """Write one self-contained page on `clips`, in this order; returns how many of them fit on it."""
    sheets: list[str] = []
    size = 0
    for clip in clips:
        sheet = _sheet(corpus, clip, segments)
        if sheets and size + len(sheet) > LARGEST:
            break
        sheets.append(sheet)
        size += len(sheet)
    missing = f" {len(clips) - len(sheets)} more were asked for and don't fit." if len(sheets) < len(clips) else ""
    head = (
        f"<h1>Labels to look at</h1><p>{len(sheets)} of {len(corpus.clips)} clips.{missing}</p>"
        f'<p class="soft small">{LEGEND} Upright lines in the curves are the frames shown. Action units go from 0 to '
        f"5, angles over the range that is written, the fit error to {_WORST_FIT:g}, quality from 0 to 1.</p>"
    )
    write_text(path, page("Labels to look at", "\n".join([head, *sheets])))
    return len(sheets)


def _sheet(corpus: Corpus, clip: Clip, segments: Path | None) -> str:
    """One clip: what is known of it, its frames, its curves."""
    labels, facts = _labels(corpus, clip), corpus.frame_table(clip)
    found = np.asarray(corpus.found(clip)).astype(bool)
    error = _fit_error(labels)
    shown = _shown_frames(np.where(found, error, np.nan))
    numbers = facts["frame"].to_numpy()
    strip = np.hstack([_drawn(corpus, clip, row, labels, segments) for row in shown])
    names = ", ".join(str(numbers[row]) for row in shown)
    words = [f"{clip.count} frames at {clip.fps:g} per second", f"landmarks in {found.mean():.0%}"]
    if np.isfinite(error[found]).any():
        words.append(f"fit error {np.nanmedian(error[found]):.3f}, at most {np.nanmax(error[found]):.3f}")
    pictures = picture(strip, alt=f"{clip.clip}: frames {names}", kind="faces", quality=80)
    body = (
        f'<p class="small soft">{"; ".join(words)}. Frames {names}.</p>{pictures}'
        f'<div class="sparks">{"".join(_curves(labels, facts, found, shown))}</div>'
    )
    named = clip.clip if clip.identity == clip.clip else f"{clip.clip} ({clip.identity})"
    return section(named, body)


def _shown_frames(error: NDArray[np.float64]) -> list[int]:
    """Frames evenly over the clip, and among them the one whose labels fit worst."""
    count = len(error)
    rows = {int((number + 0.5) * count / min(_FRAMES, count)) for number in range(min(_FRAMES, count))}
    if np.isfinite(error).any():
        worst = int(np.nanargmax(error))
        rows = (rows - {min(sorted(rows), key=lambda row: abs(row - worst))}) | {worst}
    return sorted(rows)


def _drawn(corpus: Corpus, clip: Clip, row: int, labels: pd.DataFrame, segments: Path | None) -> Image:
    image = resized(np.asarray(corpus.image(clip, row)), _SIDE)
    if segments is not None and has_array(segments, clip.shard, "segments"):
        image = with_segments(image, np.asarray(read_array(segments, clip.shard, "segments")[clip.start + row]))
    if not corpus.found(clip)[row]:
        return image
    image = with_landmarks(image, np.asarray(corpus.landmarks(clip)[row]))
    if set(ANGLES) <= set(labels.columns):
        image = with_pose(image, labels[list(ANGLES)].to_numpy(dtype=np.float64)[row])
    return image


def _curves(labels: pd.DataFrame, facts: pd.DataFrame, found: NDArray[np.bool_], shown: Sequence[int]) -> Iterable[str]:
    for name in ANGLES:
        if name in labels:
            values = np.where(found, labels[name].to_numpy(dtype=np.float64), np.nan)
            far = max(30.0, float(np.nanmax(np.abs(values), initial=0.0)))
            yield sparkline(f"{name}, ±{far:.0f}°", values, low=-far, high=far, marks=shown, digits=0)
    for name in ACTION_UNITS:
        if name in labels:
            values = np.where(found, labels[name].to_numpy(dtype=np.float64), np.nan)
            yield sparkline(name, values, low=0.0, high=MAXIMUM, marks=shown)
    if "fit_error" in labels:
        values = np.where(found, labels["fit_error"].to_numpy(dtype=np.float64), np.nan)
        yield sparkline("fit error", values, low=0.0, high=_WORST_FIT, marks=shown, digits=3)
    for name, (low, high) in _QUALITY.items():
        if name in facts:
            yield sparkline(name, facts[name].to_numpy(dtype=np.float64), low=low, high=high, marks=shown, digits=2)
    if "face_size" in facts:
        sizes = facts["face_size"].to_numpy(dtype=np.float64)
        most = float(np.nanmax(sizes, initial=1.0))
        yield sparkline("face size, px", sizes, low=0.0, high=most, marks=shown, digits=0)


def _shard_fit_error(corpus: Corpus, shard: str, *, rows: int) -> NDArray[np.float64]:
    folder = corpus.folders["actions"]
    return _fit_error(pd.DataFrame(index=range(rows)) if folder is None else read_rows(folder, shard, kind="actions"))


def _fit_error(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Of every frame; not a number where nothing was fitted."""
    return labels.reindex(columns=["fit_error"])["fit_error"].to_numpy(dtype=np.float64)


def _labels(corpus: Corpus, clip: Clip) -> pd.DataFrame:
    """The clip's rows of the actions table; no columns where actions were not read."""
    folder = corpus.folders["actions"]
    if folder is None:
        return pd.DataFrame(index=range(clip.count))
    rows = read_rows(Path(folder), clip.shard, kind="actions")
    return rows.iloc[clip.start : clip.start + clip.count]
