"""The frames that made a check fail, small enough that a page of them stays a page."""

import html
from collections.abc import Iterator, Sequence

import numpy as np

from reenact.corpus.checks import Offender, Outcome
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import Image
from reenact.errors import BadInput
from reenact.reports.overlay import resized, with_landmarks
from reenact.reports.page import picture

_SIDE = 112
LARGEST = 2_000_000  # characters of pictures on one page


def exhibits(outcomes: Sequence[Outcome], corpus: Corpus) -> str:
    """HTML: for every failed check, the worst first, a row of its offenders' pictures with clip, frame and value.

    Landmarks are drawn where a check is about labels. Pictures that can't be read are left out, as are those beyond
    LARGEST characters, and the page says so.
    """
    failed = sorted((one for one in outcomes if not one.passed and one.offenders), key=lambda one: one.level)
    parts: list[str] = []
    size = 0
    for outcome in failed:
        row = "".join(_figures(outcome, corpus))
        if not row:
            continue
        if size + len(row) > LARGEST:
            parts.append('<p class="soft">More failed checks have pictures than fit on this page.</p>')
            break
        size += len(row)
        title = html.escape(f"{outcome.table}: {outcome.check}")
        kind = "bad" if outcome.level == "critical" else "warn"
        parts.append(f'<h3>{title} <span class="pill {kind}">{outcome.level}</span></h3><div class="row">{row}</div>')
    return "\n".join(parts)


def _figures(outcome: Outcome, corpus: Corpus) -> Iterator[str]:
    for offender in outcome.offenders:
        found = _look(offender, corpus, labelled=outcome.table == "labels")
        if found is not None:
            image, frame = found
            name = f"{offender.clip}, frame {frame}"
            words = "<br>".join(html.escape(text) for text in (offender.clip, f"frame {frame}", offender.value) if text)
            yield f"<figure>{picture(image, alt=name, quality=80)}<figcaption>{words}</figcaption></figure>"


def _look(offender: Offender, corpus: Corpus, *, labelled: bool) -> tuple[Image, int] | None:
    """(the picture, the number of its frame in the video); of a clip as such, the frame in its middle."""
    clip = corpus.by_name.get(offender.clip)
    if clip is None or not clip.count:
        return None
    try:
        numbers = corpus.frame_table(clip)["frame"].to_numpy()
        rows = np.flatnonzero(numbers == offender.frame) if offender.frame is not None else [clip.count // 2]
        if not len(rows):
            return None
        image = resized(np.asarray(corpus.image(clip, int(rows[0]))), _SIDE)
        if labelled:
            image = with_landmarks(image, np.asarray(corpus.landmarks(clip)[rows[0]]))
    except (BadInput, IndexError):  # the very damage that a check has found
        return None
    return image, int(numbers[rows[0]])
