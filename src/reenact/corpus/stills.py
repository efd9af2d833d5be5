"""Single pictures: a still is a clip of one frame, and those of one person in one split stand together for a clip."""

from collections.abc import Iterable

import pandas as pd

from reenact.corpus.checks import Outcome, custom
from reenact.corpus.corpus import Clip

ONE_EACH = (
    "stills only, one picture per person: no pairs of one person can be drawn, so that no system learns from them and "
    "self-reenactment can't be scored. They can train the guide and be source and driver of cross-reenactment. If the "
    "data set has a table of who is seen, put it beside the pictures (docs/data.md)."
)


def pool_of(clip: Clip) -> tuple[str, str]:
    """What frames are drawn from together: one clip, or the single pictures of one identity."""
    return ("pictures", clip.identity) if clip.still else ("clip", clip.clip)


def still_rows(clips: pd.DataFrame) -> pd.Series:
    """Which rows of `frames/clips.parquet` are single pictures."""
    return clips["kind"].eq("still") if "kind" in clips else pd.Series(False, index=clips.index)


def pools(clips: pd.DataFrame) -> pd.Series:
    """By clip, the name of what its frames are drawn together with; two kinds never share one."""
    names = clips["clip"].astype(str).where(~still_rows(clips), "pictures of " + clips["identity"].astype(str))
    return pd.Series(names.to_numpy(), index=clips["clip"].to_numpy()).groupby(level=0).first()


def still_outcomes(clips: pd.DataFrame) -> list[Outcome]:
    """A warning that names the people of whom there is one picture only; nothing where there are no stills."""
    stills = clips[still_rows(clips)]
    if stills.empty:
        return []
    count = stills.groupby("identity").size()
    alone = [str(name) for name in count.index[count < 2]]
    return [custom("clips", "stills: two pictures or more of each person", "warning", bad=alone, of=len(count))]


def still_notes(clips: pd.DataFrame) -> Iterable[str]:
    """What single pictures can and can't be used for, in a sentence or none."""
    still = still_rows(clips)
    count = clips[still].groupby("identity").size()
    if count.empty:
        return
    if still.all() and count.max() < 2:
        yield ONE_EACH
        return
    alone = int((count < 2).sum())
    yield (
        f"{int(still.sum())} single pictures of {len(count)} people: a pair is two pictures of one person, not two "
        "moments of one video" + (f"; {alone} people have one picture and make no pair" if alone else "")
    )
