"""What an evaluation's record says of its judges beside their figures: how far they are off, how far two agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.corpus import Corpus
from reenact.evaluation.judge_agreement import agreement, other_judge
from reenact.evaluation.judge_error import judge_errors, shown_frames
from reenact.evaluation.judges import Judges, Making
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.scoring import Scored


def judge_facts(
    groups: Sequence[Scored],
    pairs: pd.DataFrame,
    corpus: Corpus,
    videos: Path | None,
    *,
    size: int,
    judges: Judges,
    default: str,
    judge_size: int,
    most: int,
) -> dict[str, Any]:
    """`judge_error` (a record per judge) and `agreement` (None where none was asked for) of one row's `groups`.

    `default` is the name of the default judge's setting, `most` the number of pictures that a second one reads.
    """
    shown = shown_frames(pairs, Pictures(corpus, size=size), videos)
    making = Making(size=judge_size, cache=judges.cache)
    other = other_judge(default, making) if most else None
    agreed = agreement(groups, other, most=most) if other else None
    return {"judge_error": judge_errors(judges, shown), "agreement": agreed}
