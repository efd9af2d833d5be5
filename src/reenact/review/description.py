"""A review in short, as the Markdown that MLflow shows with a version: what fits, and where the rest is."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reenact.reports.background import alarms_of
from reenact.review.against import Line, lines_of
from reenact.review.card import cost_sentence, model_card
from reenact.review.missing import missing
from reenact.review.subject import Record, Review
from reenact.tracking.registry import SYNTHETIC

LIMIT = 5000  # characters: MLflow's column, which Postgres enforces and SQLite does not
MARK = "# Review of version "  # what a description has above this line is somebody's own, and stays
LEAST = 4000  # characters that a review has at least, whatever stands above it
_LONGEST = 200  # characters of one rule's sentence
_MORE = "\n- {} more on the page"
_LINEAGE = (
    "lineage.git_commit", "lineage.data_version", "lineage.data_hash", "lineage.params_hash", "lineage.image_digest",
    "weights_sha256",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Block:
    """A heading and its lines, of which `most` are shown; `head` (of a table) stands above those."""

    title: str
    lines: Sequence[str]
    head: Sequence[str] = ()
    most: int = 6


def describe(review: Review, *, page: str, before: str = "", limit: int = LIMIT) -> str:
    """The description of the challenger's version, at most `limit` characters.

    `page` is where the whole page lies; `before` the description so far, of which the part above an earlier review is
    kept. What leaves no room is counted, so that nothing is left out silently.
    """
    own = _own(before, limit - LEAST)
    title = f"{MARK}{review.challenger.version}\n\n"
    first = f"{title}{markdown(SYNTHETIC)} The whole page: {markdown(page)}\n"
    return own + first + fitted(_blocks(review), limit - len(own) - len(first))


def fitted(blocks: Sequence[Block], limit: int) -> str:
    """The blocks in their order, each with as many of its lines as there is room for."""
    # Room to say of each block how much of it is missing is kept from the start.
    room = limit - sum(len(_opening(block)) + len(_MORE) + 6 for block in blocks)
    parts: list[str] = []
    for block in blocks:
        head = "".join(f"\n{line}" for line in block.head)
        kept: list[str] = []
        for line in block.lines[: block.most]:
            size = len(line) + 1 + (0 if kept else len(head))
            if size > room:
                break
            room -= size
            kept.append(f"\n{line}")
        lost = len(block.lines) - len(kept)
        more = ("\n" if kept and head else "") + _MORE.format(lost) if lost else ""
        parts.append(_opening(block) + (head if kept else "") + "".join(kept) + more)
    return "".join(parts)[: max(limit, 0)]


def markdown(text: object, *, most: int = 0) -> str:
    """Text as it stands, in one line: nothing in it is markup, a table's border, a picture or a link.

    Of more than `most` characters the rest is cut (0: never).
    """
    plain = " ".join(str(text).split())
    plain = f"{plain[: most - 3]}..." if 0 < most < len(plain) else plain
    escaped = re.sub(r"([\\`*_\[\]!|~#])", r"\\\1", html.escape(plain, quote=False))
    return re.sub(r"(?i)\bwww\.", "www&#46;", escaped.replace("://", ":&#47;&#47;"))


def _own(before: str, most: int) -> str:
    """What stands above an earlier review, cut where it would leave a new one no room."""
    own = re.split(rf"(?m)^{re.escape(MARK)}", before)[0].strip()
    cut = " ... (cut)\n\n"
    if not own:
        return ""
    return own[: most - len(cut)] + cut if len(own) + 2 > most else own + "\n\n"


def _opening(block: Block) -> str:
    return f"\n\n## {block.title}\n"


def _blocks(review: Review) -> list[Block]:
    """What decides first: the end is what has to give way."""
    gaps = [f"- {markdown(gap)}" for gap in missing(review)]
    card = {part.title: Block(title=part.title, lines=[f"- {markdown(line)}" for line in part.lines])
            for part in model_card(review)}  # fmt: skip
    return [
        _verdict(review),
        _alarms(review),
        Block(title="Not known", lines=gaps or ["- Nothing is missing."]),
        *card.values(),
        _figures(review),
        Block(title="Label quality", lines=_labels(review), most=3),
        Block(title="Cost", lines=[f"- {markdown(cost_sentence(side))}" for side in review.sides]),
        Block(title="Lineage", lines=_lineage(review)),
    ]


def _verdict(review: Review) -> Block:
    if not review.verdict:
        return Block(title="Gate: not asked", lines=["- There is no verdict."])
    said = "passed" if review.verdict.passed else "FAILED"
    against = markdown(review.verdict.champion or "no champion")
    lines = [
        f"- {'kept' if rule.ok else '**broken**'}: {markdown(rule.sentence, most=_LONGEST)}"
        for rule in review.verdict.broken_first
    ]
    return Block(title=f"Gate: {said} (against {against})", lines=lines, most=8)


def _figures(review: Review) -> Block:
    head = ["| | pairs | challenger | champion | difference | |", "| --- | --- | --- | --- | --- | --- |"]
    lines = [_figure(line) for line in _first(lines_of(review))]
    if not lines:
        return Block(title="Figures", lines=["- There are none."])
    return Block(title="Figures on the test pairs, 95 % intervals", lines=lines, head=head, most=8)


def _first(lines: Sequence[Line]) -> list[Line]:
    """What a test tells apart first, then as they come."""
    return sorted(lines, key=lambda line: line.word not in ("better", "worse"))


def _figure(line: Line) -> str:
    cells = [line.head, line.place, *(_value(one) for one in (line.challenger, line.champion, line.difference))]
    return "| " + " | ".join([*map(markdown, cells), line.word]) + " |"


def _value(record: Record | None) -> str:
    if record is None or record.get("value") is None:
        return "-"
    low, high = record.get("low"), record.get("high")
    interval = "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"
    return f"{record['value']:.3g}{interval}"


def _alarms(review: Review) -> Block:
    found = alarms_of([side.entry for side in review.sides])
    amiss = [alarm for alarm in found if alarm["verdict"] in ("alarm", "warning")]
    lines = []
    for alarm in amiss:
        where = " ".join(str(alarm.get(name) or "") for name in ("split", "protocol")).strip()
        said = f"{alarm['verdict']} for {alarm['row']}: {str(alarm['name']).replace('_', ' ')} {where}"
        value = alarm.get("value")
        lines.append(f"- {markdown(said)}" + (f", {value:.3g}" if isinstance(value, int | float) else ""))
    unknown = sum(alarm["verdict"] == "unknown" for alarm in found)
    if unknown:
        lines.append(f"- {unknown} of {len(found)} could not be asked.")
    if not found:
        lines = ["- None was asked."]
    return Block(title="Alarms", lines=lines or [f"- None of {len(found)}."])


def _labels(review: Review) -> list[str]:
    records = review.challenger.left("data.json").get("label_quality") or ()
    lines = [f"- {markdown(one['label'])} {markdown(one['value'])}: {markdown(one['meaning'])}" for one in records]
    return lines or ["- Not recorded."]


def _lineage(review: Review) -> list[str]:
    side = review.challenger
    known = {name.removeprefix("lineage."): side.tags.get(name) for name in _LINEAGE} | {"run": side.run_id}
    return [f"- {markdown(name)}: {markdown(value or 'not recorded')}" for name, value in known.items()]
