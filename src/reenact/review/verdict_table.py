"""A verdict as a Markdown table, for pages that show no more."""

from reenact.review.verdict import Rule, Verdict


def verdict_table(verdict: Verdict) -> str:
    """What the gate says, then a line per rule, those that are broken first."""
    said = "passed" if verdict.passed else "FAILED"
    against = verdict.champion or "no champion"
    lines = [f"# Gate: {said}", "", f"{_cell(verdict.challenger)} against {_cell(against)}", ""]
    lines += ["| | rule | wanted | found |", "| --- | --- | --- | --- |"]
    lines += [_line(rule) for rule in verdict.broken_first]
    return "\n".join(lines) + "\n"


def _line(rule: Rule) -> str:
    state = "**broken**" if not rule.ok else "better" if rule.better else "kept"
    return "| " + " | ".join([state, *map(_cell, (rule.name, rule.wanted, rule.sentence))]) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "/").replace("<", "&lt;")
