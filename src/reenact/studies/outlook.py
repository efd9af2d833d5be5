"""What a study would do, and how long that takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reenact.studies.done import CORPUS, ROW, is_done, keys_of, read_done, usable_cores
from reenact.studies.reading import Planned

EVALUATION = 60.0  # s, assumed of a row before the first one has been timed


def outlook(planned: Planned, out: Path, rows: Sequence[str]) -> str:
    """A line per row of `rows`, then the time that is left."""
    keys = keys_of(planned, out)
    left = {step for step in keys if not is_done(out, step, keys[step])}
    lines = [f"{planned.study.title}: {len(rows)} rows, below {out}", *crowded(planned)]
    for row in rows:
        due = [stage for stage in ROW if f"{stage} {row}" in left]
        differing = ", ".join(changes(planned.study.rows[row].set)) or "nothing"
        lines.append(
            f"  {row}: {planned.branch(row).name}; otherwise than the others: {differing}; "
            + (f"to do: {' and '.join(due)}" if due else "done")
        )
    corpus = [stage for stage in CORPUS if stage in left]
    lines.append(f"corpus: {', '.join(corpus) if corpus else 'done'}")
    return "\n".join([*lines, _time(planned, out, rows, left)])


def crowded(planned: Planned) -> list[str]:
    """A warning where rows at a time would share cores, so that their minutes are not what the file means."""
    many, threads, cores = planned.study.side_by_side, planned.corpus.runtime.threads, usable_cores()
    if many == 1 or many * threads <= cores:
        return []
    return [
        f"{many} rows at a time with runtime.threads {threads} want {many * threads} cores, and there are {cores}: "
        "their minutes are worth less than elsewhere; set side_by_side in the study's file to what the machine has"
    ]


def changes(values: object, name: str = "") -> list[str]:
    """Nested settings as `train.share: 0.5` for every leaf."""
    if not isinstance(values, Mapping):
        return [f"{name}: {list(values) if isinstance(values, tuple) else values}"]
    return [leaf for key, value in values.items() for leaf in changes(value, f"{name}.{key}" if name else str(key))]


def _time(planned: Planned, out: Path, rows: Sequence[str], left: set[str]) -> str:
    """Trainings by their minutes, evaluations by those that were timed."""
    trainings = [row for row in rows if f"train {row}" in left]
    evaluations = [row for row in rows if f"evaluate {row}" in left]
    given = [float(planned.rows[row].blocks["train"].plain().get("minutes", 0.0)) for row in trainings]
    timed = [float(done["seconds"]) for row in planned.rows if "seconds" in (done := read_done(out, f"evaluate {row}"))]
    each = sum(timed) / len(timed) if timed else EVALUATION
    scoring = len(evaluations) * each / 60
    said = f"{len(trainings)} trainings, {sum(given):g} minutes"
    said += ", and those that end by samples alone" if not all(given) else ""
    said += f"; {len(evaluations)} evaluations, {scoring:.0f} minutes ({each:.0f} s each{'' if timed else ', assumed'})"
    beside = planned.study.side_by_side
    said += f"; {beside} rows at a time" if beside > 1 else ""
    return f"left: {said}; about {(sum(given) + scoring) / beside:.0f} minutes beside the corpus"
