"""A study's file and the settings of its rows: params.yaml, the study's changes, the row's, the command line's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reenact.config import Runtime, nearest
from reenact.errors import SettingsError
from reenact.evaluation.further_names import FINETUNED
from reenact.evaluation.reference_names import REFERENCES
from reenact.params import Params, overlaid, parse, read_overrides, read_raw, read_yaml
from reenact.process import prepare_process
from reenact.studies.settings import Claim, Curve, Row, Study, Table, shots_in, split_name
from reenact.systems.branch import Branch

FOLDER = Path("studies")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A study with the effective settings of its corpus and of each row."""

    name: str
    file: Path
    study: Study
    corpus: Params
    rows: Mapping[str, Params]

    def branch(self, row: str) -> Branch:
        """What a row trains."""
        said = self.study.rows[row]
        return Branch(system=said.system, variant=said.variant, seed=said.seed)


def find_study(name: str) -> Path:
    """The file of a study: itself, or studies/NAME.yaml; raises SettingsError that names the nearest."""
    own, listed = Path(name), FOLDER / f"{name}.yaml"
    if own.suffix in (".yaml", ".yml") and own.is_file():
        return own
    if listed.is_file():
        return listed
    known = [file.stem for file in FOLDER.glob("*.yaml")]
    raise SettingsError(f"{name}: no study file, and none in {FOLDER}/{nearest(name, known)}")


def chosen_rows(study: Study, patterns: Sequence[str]) -> list[str]:
    """Rows that a pattern or the name of a table or curve means, in the order of the file; all without patterns."""
    groups = study.groups()
    chosen: set[str] = set()
    for pattern in patterns:
        found = groups.get(pattern) or {row for row in study.rows if fnmatchcase(row, pattern)}
        if not found:
            raise SettingsError(f"--rows {pattern}: no row of that name{nearest(pattern, [*study.rows, *groups])}")
        chosen |= found
    return [row for row in study.rows if not patterns or row in chosen]


def plan(path: Path, *, params: Path, overrides: Sequence[str] = (), minutes: float | None = None) -> Planned:
    """Read a study and everything its rows will be told. `overrides` win over all, and hold for all rows.

    Sets this process' thread count before anything heavy is loaded, like `cli.options.load`.
    """
    study = Study.parse(read_yaml(path), where=str(path))
    raw = overlaid(read_raw(params), study.settings, where=f"{path}: settings")
    last = read_overrides(overrides)
    runtime = overlaid(raw, last, where="-S").get("runtime") or {}
    prepare_process(Runtime.parse(runtime, where="runtime").threads)
    _check_systems(study, path)
    _check_metrics(study, path)
    if minutes is not None:
        last = overlaid(last, {"train": {"minutes": float(minutes)}}, where="--minutes")
    # What all rows' systems learn from is made once.
    fanout = {"systems": list(dict.fromkeys(row.system for row in study.rows.values())), "variants": ["full"]}
    raw = overlaid(raw, {"fanout": {**fanout, "seeds": [0]}}, where=str(path))
    _settings(raw, f"{path}: settings")
    own = {name: overlaid(raw, row.set, where=f"{path}: rows.{name}.set") for name, row in study.rows.items()}
    _check_further(study, {name: _settings(own[name], f"{path}: rows.{name}.set") for name in own}, path)
    rows = {name: parse(overlaid(blocks, last, where="-S")) for name, blocks in own.items()}
    corpus = parse(overlaid(raw, last, where="-S"))
    return Planned(name=path.stem, file=path, study=study, rows=rows, corpus=corpus)


def _settings(raw: Mapping[str, Any], where: str) -> Params:
    try:
        return parse(raw)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None


def _check_systems(study: Study, path: Path) -> None:
    from reenact.systems.catalogue import SYSTEMS

    for name, row in study.rows.items():
        where = f"{path}: rows.{name}"
        if row.system not in SYSTEMS:
            raise SettingsError(f"{where}.system: unknown system {row.system}{nearest(row.system, SYSTEMS)}")
        variants = SYSTEMS[row.system].variants
        if row.variant not in variants:
            near = nearest(row.variant, variants)
            raise SettingsError(f"{where}.variant: {row.system} has no variant {row.variant}{near}")


def _check_further(study: Study, params: Mapping[str, Params], path: Path) -> None:
    """Rows in brackets are drawn by the evaluation of their row, where its settings ask for them."""
    for where, name, protocol in study.named():
        if name in REFERENCES:
            continue
        row, what = split_name(name)
        evaluate = params[row].blocks["evaluate"].plain()
        shots = shots_in(name)
        asked = "shot_curve" if shots else "finetune" if what == FINETUNED else "retarget"
        has = shots in (_own_shots(study.rows[row], params[row]), *evaluate["shot_curve"])
        if what and not (has if shots else protocol in evaluate[asked]):
            missing = shots or protocol
            raise SettingsError(f"{path}: {where}: {name}: evaluate.{asked} of row {row} has no {missing}.")


def _own_shots(row: Row, params: Params) -> int:
    """Source pictures of a row itself."""
    from reenact.systems.catalogue import SYSTEMS

    settings = {**params.systems[row.system].plain(), **SYSTEMS[row.system].variants[row.variant]}
    return int(params.blocks["evaluate"].plain()["shots"] or settings.get("sources", 1))


def _check_metrics(study: Study, path: Path) -> None:
    from reenact.evaluation.metrics.catalogue import metric

    parts: list[tuple[str, Table | Curve | Claim]] = [
        *((f"tables.{name}", table) for name, table in study.tables.items()),
        *((f"curves.{name}", curve) for name, curve in study.curves.items()),
        *((f"claims.{place}", claim) for place, claim in enumerate(study.claims)),
    ]
    for where, part in parts:
        for name in part.metrics:
            known = metric(name, where=f"{path}: {where}.metrics")
            if part.protocol not in known.protocols:
                raise SettingsError(
                    f"{path}: {where}: {name} makes no sense for {part.protocol}; it has {', '.join(known.protocols)}."
                )
