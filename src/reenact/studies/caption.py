"""What a study's figures stand on: wall clock, samples, corpus, judge, machine. Facts, and the caption made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.evaluation.collect import Entry
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.fid import small_sets
from reenact.reports.background import record
from reenact.studies.done import read_done
from reenact.studies.figures import UNEQUAL

_AMONG = {"all": "of all validations", "last_third": "of the validations in the last third of the training"}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a row's training came to."""

    minutes: float  # that it was given; 0: it was ended by samples
    seconds: float  # that it took
    samples: int
    steps: int
    sources: int | None  # source pictures that it is scored with
    chosen: int | None  # the step whose weights were handed on
    machine: str
    rule: str  # by which


def trained_of(entry: Entry, out: Path) -> Trained | None:
    """From a row's records; None where it has no training that ended well."""
    status = record(entry.training / "status.json" if entry.training else None)
    if status.get("status") != "trained":
        return None
    chosen = status.get("chosen") or {}
    return Trained(
        minutes=float(status["train"]["minutes"]),
        seconds=float(status["training_seconds"]),
        samples=int(status["samples"]),
        steps=int(status["steps"]),
        sources=int(entry.record["shots"]) if "shots" in entry.record else None,
        chosen=int(chosen["step"]) if "step" in chosen else None,
        machine=_machine(read_done(out, f"train {entry.name}"), status.get("runtime") or {}),
        rule=_rule(chosen),
    )


def _machine(done: Mapping[str, Any], runtime: Mapping[str, Any]) -> str:
    device, threads = runtime.get("device"), runtime.get("threads")
    on = f"{threads} thread{'' if threads == 1 else 's'} a training" if device == "cpu" else str(device or "")
    beside = int(done.get("side_by_side", 1))
    rows = f"{beside} rows at a time" if beside > 1 else ""
    precision = str(runtime.get("precision", ""))
    return ", ".join(filter(None, (str(done.get("machine", "")), on, rows, precision)))


def _rule(chosen: Mapping[str, Any]) -> str:
    rule = chosen.get("rule") or {}
    among = str(rule.get("among", ""))
    if among == "last" or chosen.get("value") is None:
        return "the last weights"
    return f"the best by {rule.get('metric')} {_AMONG.get(among, among)}"


def corpus_said(out: Path) -> str:
    """Identities and frames of each split, and the pictures' size."""
    try:
        clips = read_table(out / "frames" / "clips.parquet", kind="clips")
        parts = read_table(out / "validated" / "split.parquet", kind="split")
    except ReenactError:
        return "corpus: not prepared"
    whole = parts.assign(frames=parts["stop"] - parts["start"])
    said = [
        f"{name} {group['identity'].nunique()} identities, {int(group['frames'].sum()):,} frames"
        for name in ("train", "val", "test")
        if len(group := whole[whole["split"] == name])
    ]
    return f"corpus: {clips['identity'].nunique()} identities, {int(clips['count'].sum()):,} frames ({'; '.join(said)})"


def caption(
    entries: Sequence[Entry], trained: Mapping[str, Trained], out: Path, *, metrics: Sequence[str]
) -> list[str]:
    """Sentences below a table of these entries and metrics; `trained` are those of all rows that were."""
    known = [trained[entry.name] for entry in entries if entry.name in trained]
    said = [_wall_clock(known), corpus_said(out)]
    first = next((entry for entry in entries if entry.status == "trained"), None)
    if first:
        judge, size = first.record.get("judge") or {}, first.record["image_size"]
        said.append(f"pictures of {size} px; judge: {judge.get('name', '?')} at {judge.get('size', '?')} px")
        said.append(f"{_pairs(first)}; intervals of 95 % over persons, one training per row")
    said += _of_sets(entries, metrics)
    said += [f"weights handed on: {rule}" for rule in sorted({one.rule for one in known})]
    said += [f"machine: {name}" for name in sorted({one.machine for one in known if one.machine})]
    return [sentence for sentence in said if sentence]


def _wall_clock(known: Sequence[Trained]) -> str:
    """By what the trainings' own records say they were given, which may be another plan's."""
    if not known:
        return ""
    minutes = sorted({one.minutes for one in known})
    took, saw = [one.seconds / 60 for one in known], [one.samples for one in known]
    if minutes == [0]:
        given = "trainings were ended by samples, not time"
    elif len(minutes) == 1:
        given = f"every training was given {minutes[0]:g} minutes, validation included"
    else:
        each = ", ".join(f"{one:g} minutes" if one else "no clock" for one in minutes)
        given = f"trainings were NOT given the same wall clock ({each})"
    return f"{given}: they took {min(took):.2f} to {max(took):.2f} minutes and saw {min(saw):,} to {max(saw):,} samples"


def _of_sets(entries: Sequence[Entry], metrics: Sequence[str]) -> list[str]:
    """What the Frechet distances of these rows are of: they may be compared at equal numbers of pictures only."""
    own = [r for e in entries for r in e.record.get("results", ()) if (r["row"], r["split"], r["protocol"]) == _own(e)]
    own = [result for result in own if result["metric"] in metrics]
    sizes = {m.id: sorted(int(r["n"]) for r in own if r["metric"] == m.id and r["n"]) for m in METRICS.values()
             if m.per_pair is None}  # fmt: skip
    said = [
        f"{METRICS[name].title}: over {many[0]} to {many[-1]} pictures, those that could be judged; it grows as they "
        f"become fewer, and rows that differ in their number by more than {UNEQUAL:.0%} are not tested"
        for name, many in sizes.items() if many and many[0] < many[-1]
    ]  # fmt: skip
    return said + small_sets(own)


def _own(entry: Entry) -> tuple[str, str, str]:
    return entry.name, "test", "self"


def _pairs(entry: Entry) -> str:
    results = entry.record["results"]
    own = [r for r in results if (r["row"], r["split"], r["protocol"]) == _own(entry)]
    pairs, people = (max((int(r[key]) for r in own), default=0) for key in ("pairs", "people"))
    return f"{pairs} test pairs of {people} persons"
