"""The gate: a pure function over two evaluations on the same pairs, by the rules of the settings.

    metric       for each metric of the settings: the challenger is not worse by more than the bound, by the bad end of
                 the 95 % interval of the paired difference; its figure is known, and not worse than the limit
    improvement  enough of them are better by what counts, each by a test that is corrected for their number
    faces        enough of its pictures show a face, and not many fewer than the champion's: figures that are read from
                 faces say nothing of pictures without one
    alarm        none of the alarms of the settings went off on test pairs
    champion     the two draw pictures of one size

Without a champion nothing is compared: figures have to be known and within their limits, faces and alarms count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reenact.alarms.verdict import Verdict as AlarmVerdict
from reenact.errors import BadInput, SettingsError
from reenact.evaluation.collect import Entry, comparable
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.significance import holm
from reenact.review.differences import SPLIT, Difference, difference, figure_of, own_lines
from reenact.review.metric_rules import metric_rule
from reenact.review.settings import GateSettings
from reenact.review.verdict import Rule, Verdict

_MAY_NOT_APPLY = "mask_saturation"  # a system that mixes nothing by a mask can't be asked
NAN = float("nan")


def gate(
    challenger: Entry, champion: Entry | None, settings: GateSettings, *, repeats: int = 1000, seed: int = 0
) -> Verdict:
    """Hold a challenger against the champion, or against nobody; `repeats` and `seed` are the intervals'.

    Raises BadInput where the two were scored on different pairs, by different judges or on different test sets, and
    for an evaluation without figures; SettingsError for a metric on pairs it makes no sense for. What the champion's
    evaluation lacks counts against the challenger, too: what can't be compared has not been shown.
    """
    check_rules(settings)
    for entry in filter(None, (challenger, champion)):
        if entry.status != "trained":
            raise BadInput(f"{entry.name}: no figures to be judged by ({entry.status}: {entry.reason}).")
    if champion:
        refuse_other_test(challenger, champion)
    compared = champion if champion and _size(champion) == _size(challenger) else None
    metrics = list(_metric_rules(challenger, compared, settings, repeats=repeats, seed=seed))
    rules = [*metrics, *_faces(challenger, compared, settings), *_alarms(challenger, champion, settings)]
    if compared:
        rules.append(_improvement(metrics, settings))
    elif champion:
        rules.append(other_size(challenger, champion))
    return Verdict(
        challenger=challenger.name,
        champion=champion.name if champion else "",
        rules=tuple(rules),
        judge=str((challenger.record.get("judge") or {}).get("name", "")),
        pairs_sha256=str(challenger.record["pairs_sha256"].get(SPLIT, "")),
        settings=settings.plain(),
    )


def check_rules(settings: GateSettings) -> None:
    """Raises SettingsError for a metric on pairs it makes no sense for."""
    for name, rule in settings.metrics.items():
        known = METRICS[name].protocols
        if rule.protocol not in known:
            raise SettingsError(
                f"gate.metrics.{name}.protocol: {name} makes no sense for {rule.protocol}; it has {', '.join(known)}."
            )


def refuse_other_test(challenger: Entry, champion: Entry) -> None:
    """Raises BadInput unless both were scored on the same pairs of the same corpus by the same judges."""
    entries = [champion, challenger]
    if _size(champion) != _size(challenger):
        # At another size the same pictures give other figures: what the pairs show can't be told by them.
        entries = [
            replace(entry, record={**entry.record, "image_size": 0}, faces=entry.faces.iloc[:0]) for entry in entries
        ]
    checked = comparable(entries)[1]
    if checked.status != "trained":
        raise BadInput(f"{challenger.name}: {checked.reason}, so no gate can compare them.")


def other_size(challenger: Entry, champion: Entry) -> Rule:
    """The rule that is broken where the two draw pictures of different size: somebody has to look and decide."""
    ours, theirs = _size(challenger), _size(champion)
    return cannot_compare(f"{challenger.name} draws {ours} px, {champion.name} {theirs} px: their figures are of "
                          "other pictures and can't be compared")  # fmt: skip


def cannot_compare(why: str) -> Rule:
    """A broken rule: there is a champion, and the challenger can't be held against it."""
    return Rule(
        name="comparison with the champion", kind="champion", ok=False, wanted="figures of the same pictures",
        sentence=why,
    )  # fmt: skip


def _size(entry: Entry) -> int:
    return int(entry.record["image_size"])


def _metric_rules(
    challenger: Entry, champion: Entry | None, settings: GateSettings, *, repeats: int, seed: int
) -> Iterator[Rule]:
    found: list[Difference | None] = [
        difference(challenger, champion, METRICS[name], rule.protocol, repeats=repeats, seed=seed) if champion else None
        for name, rule in settings.metrics.items()
    ]
    corrected = holm([NAN if one is None or one.p is None else one.p for one in found])
    for (name, rule), one, p in zip(settings.metrics.items(), found, corrected, strict=True):
        own = figure_of(challenger, name, rule.protocol)
        value = None if own is None else own["value"]
        yield metric_rule(METRICS[name], rule, value, one, p=None if p != p else p, level=settings.level)


def _improvement(metrics: Sequence[Rule], settings: GateSettings) -> Rule:
    better = [rule.name for rule in metrics if rule.better]
    named = f" ({', '.join(better)})" if better else ""
    return Rule(
        name="improvement",
        kind="improvement",
        ok=len(better) >= settings.needs,
        wanted=f"at least {settings.needs} of {len(metrics)} metrics better by what counts, p < {settings.level:g} "
        "corrected for their number",
        sentence=f"{len(better)} of {len(metrics)} metrics are better by what counts{named}, {settings.needs} wanted",
    )


def _faces(challenger: Entry, champion: Entry | None, settings: GateSettings) -> Iterator[Rule]:
    """Of the protocols that the metrics are asked on."""
    for protocol in dict.fromkeys(rule.protocol for rule in settings.metrics.values()):
        ours = faces_shown(challenger, protocol)
        theirs = faces_shown(champion, protocol) if champion else None
        least = max(settings.judged, theirs - settings.lost) if theirs is not None else settings.judged
        beside = "" if theirs is None else f" (champion {theirs:.1%})"
        said = "no test pairs" if ours is None else f"{ours:.1%} of the pictures show a face{beside}"
        yield Rule(
            name=f"faces on {protocol}", kind="faces", protocol=protocol, ok=ours is not None and ours >= least,
            wanted=f"at least {least:.1%} of the pictures show a face", sentence=f"{protocol}: {said}",
            challenger=ours, champion=theirs,
        )  # fmt: skip


def faces_shown(entry: Entry, protocol: str) -> float | None:
    """Share of the test pairs whose picture was drawn and shows a face; None where there are no pairs."""
    lines = own_lines(entry, protocol)
    shown = lines["drawn"].astype(bool) & lines["face_found"].astype(bool)
    return float(shown.mean()) if len(shown) else None


def _alarms(challenger: Entry, champion: Entry | None, settings: GateSettings) -> Iterator[Rule]:
    """A rule per verdict of each alarm; one that was never asked has not been passed."""
    theirs = {_place(one): one.value for one in alarms_asked(champion)} if champion else {}
    ours = alarms_asked(challenger)
    for name in settings.alarms:
        found = [one for one in ours if one.name == name]
        wanted = f"{name.replace('_', ' ')} is no alarm"
        for one in found:
            silent = one.verdict == "unknown" and name == _MAY_NOT_APPLY
            yield Rule(
                name=f"{name} on {one.protocol}", kind="alarm", metric=name, protocol=one.protocol, wanted=wanted,
                ok=silent or one.verdict in ("fine", "warning"), sentence=f"{one.verdict}: {one.sentence()}",
                challenger=one.value, champion=theirs.get(_place(one)),
            )  # fmt: skip
        if not found:
            said = f"{name.replace('_', ' ')}: not known, the evaluation doesn't say (no test pairs of its kind?)"
            yield Rule(name=name, kind="alarm", metric=name, ok=False, wanted=wanted, sentence=said)


def alarms_asked(entry: Entry) -> list[AlarmVerdict]:
    """What the evaluation's own alarms say of test pairs; those of the training look at other ones."""
    return [AlarmVerdict(**one) for one in entry.record.get("alarms") or () if one.get("split") == SPLIT]


def _place(verdict: AlarmVerdict) -> tuple[str, str]:
    return verdict.name, verdict.protocol
