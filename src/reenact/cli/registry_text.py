"""What `reenact registry` prints for people."""

from collections.abc import Sequence

from reenact.review.desk import one_line
from reenact.review.history import Line
from reenact.review.records import Decision
from reenact.review.versions import CHAMPION, PREVIOUS, Known

_COLUMNS = ("version", "aliases", "branch", "gate", "review", "by", "registered")
_INDENT = "      "


def versions_table(versions: Sequence[Known]) -> str:
    """A line per version."""
    known = [
        (
            one.version,
            ", ".join(one.aliases),
            one.branch,
            one.gate or "not asked",
            one.review or "waits",
            one.tags.get("review.by", ""),
            one.created,
        )
        for one in versions
    ]
    rows = [tuple(map(one_line, row)) for row in known]  # tags that anybody set: a terminal obeys what is in them
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_COLUMNS, *rows)
    )


def version_text(version: Known, decisions: Sequence[Line], *, checked: bool) -> str:
    """One version: what it is, its tags, the decisions about it."""
    facts = {
        "aliases": ", ".join(version.aliases) or "none",
        "registered": version.created,
        "status": version.status,
        "training run": version.run_id or "not known",
        "trained by": version.trainer or "not known",
        "gate": version.gate or "not asked",
        "weights": (version.weights_sha256 or "not known") + (" (fetched and compared: the same)" if checked else ""),
    }
    own = {"gate", "trainer", "weights_sha256"}
    lines = [f"{version.model}, version {version.version}", *_facts(facts)]
    lines += ["tags", *_facts({name: value for name, value in sorted(version.tags.items()) if name not in own})]
    lines += ["decisions", *([history_text(decisions)] if decisions else ["  none"])]
    return "\n".join(lines)


def history_text(lines: Sequence[Line]) -> str:
    """A paragraph per decision, in order."""
    return "\n".join(part for line in lines for part in _line(line)) or "No decision was made yet."


def outcome_text(decision: Decision) -> str:
    """What a decision changed."""
    moved = [
        f"{alias}: {_version(decision.before.get(alias))} -> {_version(decision.after.get(alias))}"
        for alias in (CHAMPION, PREVIOUS)
        if decision.before.get(alias) != decision.after.get(alias)
    ]
    return "\n".join([f"{decision}", *(f"  {one}" for one in moved or ["no alias moved"])])


def _line(line: Line) -> list[str]:
    decision = line.decision
    if decision is None:
        return [f"  !   {one_line(line.says)}"]
    told = [f"{decision.number:4}  {decision.at}  {decision.by}: {decision.action} version {decision.version}"]
    told.append(f"{_INDENT}{decision.reason}")
    if decision.override:
        told.append(f"{_INDENT}the gate ({decision.gate or 'not asked'}) was passed over: {decision.override}")
    told += [f"{_INDENT}{moved.strip()}" for moved in outcome_text(decision).splitlines()[1:]]
    if not line.finished:
        told.append(f"{_INDENT}not carried out yet: the next decision does it")
    return [*told, *([f"  !   {line.says}"] if line.says else [])]


def _facts(facts: dict[str, str]) -> list[str]:
    width = max((len(name) for name in facts), default=0)
    return [f"  {name.ljust(width)}  {one_line(value)}" for name, value in facts.items()]


def _version(version: str | None) -> str:
    return f"version {version}" if version else "nobody"
