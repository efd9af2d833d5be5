"""How far the judges can be trusted, beside what they say."""

import html
from collections.abc import Sequence

from reenact.evaluation.collect import Entry
from reenact.evaluation.judge_tables import (
    AGREEMENT,
    AGREEMENT_SAY,
    ERRORS,
    ERRORS_SAY,
    agreeing,
    agreement_lines,
    error_lines,
)
from reenact.reports.page import rows


def judges_html(entries: Sequence[Entry]) -> str:
    """Errors against known truth, and how far two judges agree on each entry's pictures."""
    errors, agreed = error_lines(entries), agreement_lines(entries)
    parts = [_block(ERRORS_SAY, ERRORS, errors, text=(0, 1))] if errors else []
    parts += [_block(f"{AGREEMENT_SAY} {agreeing(entries)}", AGREEMENT, agreed, text=(0,))] if agreed else []
    return "".join(parts) or '<p class="soft">These evaluations say nothing of their judges.</p>'


def _block(said: str, head: Sequence[str], lines: Sequence[Sequence[str]], *, text: Sequence[int]) -> str:
    cells = [("", [html.escape(cell) for cell in line]) for line in lines]
    return f'<p class="soft">{html.escape(said)}</p>{rows(head, cells, text=text)}'
