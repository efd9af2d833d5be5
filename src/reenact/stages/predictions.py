"""What `evaluate` does beside scoring branches: hand a list of pairs out, and score what another method made of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.config import Runtime
from reenact.stages.evaluate import EvaluateSettings, judges_of, pairs_of
from reenact.stages.result import StageResult

if TYPE_CHECKING:
    import pandas as pd

    from reenact.evaluation.pictures import Pictures


@dataclass(frozen=True, kw_only=True)
class Request:
    """On which pairs of which corpus, at which size."""

    root: Path  # the folder with frames/, landmarks/, ...
    settings: EvaluateSettings
    runtime: Runtime
    pairs: Path | None = None  # a list; None: that of the settings, else the branches', else drawn as theirs would be
    size: int | None = None  # px; None: as the list's own evaluation, else as the corpus


OTHERS = (
    "{name}: another method's pictures as they were given; intervals are over faces, of its training nothing is known"
)


def export(request: Request, *, out: Path) -> StageResult:
    """Write the pictures and labels that another method needs; see evaluation/export.py."""
    from reenact.evaluation.export import export_pairs

    pictures, pairs, _ = _opened(request)
    return StageResult(stage="evaluate", counts=export_pairs(out, pairs, pictures))


def score_predictions(request: Request, *, source: Path, name: str, out: Path, resize: bool) -> StageResult:
    """Score the pictures in `source` as row `name` into `out`, an evaluation folder like a branch's.

    Raises BadInput where no picture can be used; whatever else is wrong is counted, and said in the record and in the
    result's notes.
    """
    from reenact.alarms.not_finite import NOT_FINITE
    from reenact.atomic import write_json
    from reenact.evaluation.alarms import verdicts
    from reenact.evaluation.data_facts import data_facts
    from reenact.evaluation.judge_facts import judge_facts
    from reenact.evaluation.predictions import Predictions, notes_of
    from reenact.evaluation.records import read_metrics
    from reenact.evaluation.rows import rows_of
    from reenact.evaluation.scoring import score
    from reenact.evaluation.writing import write_evaluation

    settings = request.settings
    pictures, pairs, seed = _opened(request)
    given = Predictions(source, pairs, size=pictures.size, resize=resize)
    judges = judges_of(settings, request.runtime)
    scored = score(rows_of(pictures, [(name, given.row)]), pairs, pictures, judges)
    record = given.record()
    # A missing picture is no training gone wrong; the record says what is missing.
    alarms = [one.plain() for one in verdicts(scored, name, settings.alarms) if one.name != NOT_FINITE.name]
    facts = {
        "branch": name, "kind": "prediction", "image_size": pictures.size, "pair_seed": seed,
        "model": {"sha256": given.sha256(), "features": None}, "predictions": {"folder": str(source), **record},
        "alarms": alarms,
        **judge_facts(scored[name], pairs, pictures.corpus, request.root / "videos", size=pictures.size, judges=judges,
                      default=settings.judge, judge_size=settings.judge_size, most=settings.agreement),
    }  # fmt: skip
    write_json(out / "data.json", data_facts(pictures.corpus, request.root / "validated"))
    counts = write_evaluation(
        out, scored, pairs, pictures.corpus, facts, judges, row=name, repeats=settings.bootstrap, seed=settings.seed,
        samples=settings.samples, notes=[OTHERS.format(name=name), *notes_of(name, record)],
    )  # fmt: skip
    judges.cache.save()
    return StageResult(stage="evaluate", counts=counts, notes=tuple(read_metrics(out)["notes"]))


def _opened(request: Request) -> "tuple[Pictures, pd.DataFrame, int]":
    """The real pictures, the list of pairs and its seed."""
    from reenact.corpus.corpus import Corpus
    from reenact.evaluation.pairs.redrawable import scene_files
    from reenact.evaluation.pictures import Pictures
    from reenact.evaluation.redrawn import Redrawn

    root, settings = request.root, request.settings
    corpus = Corpus(
        root / "frames", landmarks=root / "landmarks", actions=root / "actions", validated=root / "validated"
    )
    file = request.pairs or (Path(settings.pairs) if settings.pairs else _list_of_branches(root / "branches"))
    given = settings.model_copy(update={"pairs": str(file)}) if file else settings
    pairs, seed = pairs_of(corpus, root / "validated", given, videos=root / "videos")
    size = request.size or _size_beside(file) or corpus.size
    return Pictures(corpus, size=size, redrawn=Redrawn(corpus, scene_files(corpus, root / "videos"))), pairs, seed


def _list_of_branches(branches: Path) -> Path | None:
    """All branches were scored on one list, or could not be compared."""
    return next(iter(sorted(branches.glob("*/evaluate/pairs.parquet"))), None)


def _size_beside(pairs: Path | None) -> int | None:
    """The picture size of the evaluation that a list lies in."""
    from reenact.evaluation.records import read_metrics

    if pairs is None or not (pairs.parent / "metrics.json").exists():
        return None
    size = read_metrics(pairs.parent).get("image_size")
    return int(size) if size else None
