"""What stands beside a table of its judges' errors, in words: for Markdown and for the report alike."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reenact.evaluation.collect import Entry

ERRORS = ("judge", "measured on", "faces found", "landmarks", "pitch", "yaw", "roll", "AUs", "same person")
AGREEMENT = ("pictures", "found by both", "landmarks", "pitch", "yaw", "roll", "AUs")
ERRORS_SAY = (
    "How far the judges are off the truth of real frames: landmarks in % of the outer eye distance, angles in degrees "
    "(mean absolute error), action units by the mean of the 17 correlations (0 for one that is always read the same). "
    "Same person: how often two pictures of one person are more alike to the judge than two of different ones. On the "
    "real clip OpenFace's file stands for the truth, and angles are correlations."
)
AGREEMENT_SAY = (
    "How far two judges of different build and training agree: mean distance of landmarks in % of the outer eye "
    "distance, correlations of angles, mean correlation of the 17 action units. Less agreement on a branch's pictures "
    "than on real ones means that one of them is misled by what is drawn there."
)
Record = Mapping[str, Any]


def error_lines(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """A line per judge and set it was measured on, cells as in `ERRORS`; all evaluations of a table have one set."""
    found: list[dict[str, Any]] = next((e.record["judge_error"] for e in entries if e.record.get("judge_error")), [])
    return [line for one in found for line in _errors(one)]


def agreement_lines(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Real pictures first, then a line per entry, cells as in `AGREEMENT`; empty where no second judge was asked."""
    known = [(e.name, e.record["agreement"]) for e in entries if e.record.get("agreement")]
    lines = [_agreement("real pictures", record["real"]) for _, record in known[:1]]
    return lines + [_agreement(f"{name}, generated", record["generated"]) for name, record in known]


def agreeing(entries: Sequence[Entry]) -> str:
    """Who was asked, as a sentence; empty where nobody was."""
    judges = next((e.record["agreement"]["judges"] for e in entries if e.record.get("agreement")), None)
    return f"First judge: {judges[0]}; second: {judges[1]}." if judges else ""


def judges_markdown(entries: Sequence[Entry]) -> str:
    """The section `Judges`; empty where no evaluation knows of them."""
    errors, agreed = error_lines(entries), agreement_lines(entries)
    parts = [f"{ERRORS_SAY}\n\n{_table(ERRORS, errors)}"] if errors else []
    parts += [f"{AGREEMENT_SAY} {agreeing(entries)}\n\n{_table(AGREEMENT, agreed)}"] if agreed else []
    return "\n## Judges\n\n" + "\n\n".join(parts) + "\n" if parts else ""


def judges_plain(entries: Sequence[Entry]) -> dict[str, Any]:
    """The same for programs: `judge_error` as in metrics.json, `agreement` by the row's name."""
    error: list[dict[str, Any]] = next((e.record["judge_error"] for e in entries if e.record.get("judge_error")), [])
    return {"judge_error": error, "agreement": {e.name: e.record.get("agreement") for e in entries}}


def _errors(record: Record) -> Iterator[tuple[str, ...]]:
    here, before, name = record["here"], record["measured"], str(record["judge"])
    if here["frames"]:
        yield (name, f"this corpus, {here['frames']} frames of known truth", *_cells(here))
    elif here["same_person"] is not None:
        yield (name, "this corpus, whose truth is not known", *_cells(here))
    if not before:
        yield (name, "other people and a real clip: not measured", *[""] * 7)
        return
    rendered, real = before["rendered"], before["real"]
    yield (name, f"rendered people elsewhere, {rendered['frames']} frames", *_cells(rendered))
    yield (name, f"a real clip, {real['frames']} frames", *_cells(real, angles="correlation"))


def _cells(one: Record, *, angles: str = "pose") -> tuple[str, ...]:
    turned = one.get(angles) or {}
    digits, unit = (2, "") if angles == "correlation" else (1, "°")
    said = (_number(turned.get(name), digits) + (unit if turned.get(name) is not None else "") for name in _ANGLES)
    return (_share(one["found"], 0), _share(one["landmarks"]), *said, _number(one["actions_mean"], 2),
            _number(one.get("same_person"), 3))  # fmt: skip


_ANGLES = ("pitch", "yaw", "roll")


def _agreement(name: str, one: Record) -> tuple[str, ...]:
    angles = (_number((one["pose"] or {}).get(angle), 2) for angle in _ANGLES)
    found = f"{one['both']} of {one['pictures']}"
    return (name, found, _share(one["landmarks"]), *angles, _number(one["actions_mean"], 2))


def _share(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
