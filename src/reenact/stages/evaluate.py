"""Score one branch: draw the same pairs as every other branch, have them read by the judge, write every figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from reenact.alarms.settings import EvaluateAlarms
from reenact.backbones.settings import NetworkSettings
from reenact.config import Runtime, Settings
from reenact.evaluation.editing_settings import BackgroundSettings, SweepSettings
from reenact.evaluation.judge_settings import OpenFaceSettings
from reenact.stages.result import StageResult
from reenact.systems.branch import Branch
from reenact.tracking.connect import TrackingSettings

if TYPE_CHECKING:
    import pandas as pd

    from reenact.corpus.corpus import Corpus
    from reenact.evaluation.editing import Edited
    from reenact.evaluation.judges import Judges
    from reenact.evaluation.redrawn import Redrawn
    from reenact.evaluation.scoring import Scored


class PairSettings(Settings):
    """How many pairs per identity of a split."""

    sources: int = Field(default=2, ge=1)  # different source frames
    self_pairs: int = Field(default=6, ge=0)
    cross_pairs: int = Field(default=6, ge=0)
    cross_truth: int = Field(default=2, ge=0)  # of these, how many also against the true picture where it is known
    lsim: int = Field(default=6, ge=0)
    sequences: int = Field(default=1, ge=0)  # stretches of video that each person drives with
    sequence_frames: int = Field(default=8, ge=3)


class EvaluateSettings(Settings):
    """What is drawn and how it is judged. Every branch draws the same pairs."""

    val: PairSettings = PairSettings(  # for choosing
        sources=1, self_pairs=3, cross_pairs=3, cross_truth=0, lsim=3, sequences=0
    )
    test: PairSettings = PairSettings()  # for the table
    pairs: str = ""  # a list of pairs to be used, written by `reenact pairs` or an evaluation; empty: drawn by `seed`
    shots: int = Field(default=0, ge=0, le=16)  # source pictures that a system is given, 0: as many as it learned with
    shot_curve: tuple[Annotated[int, Field(ge=1, le=16)], ...] = ()  # further numbers, for systems that use several
    # Protocols in which landmark-driven systems are also driven by the driver's motion on the source's shape.
    retarget: tuple[Literal["cross", "cross_truth", "lsim", "crossvideo"], ...] = ("cross", "cross_truth")
    # Protocols in which systems that can be are also fine-tuned on each person's source pictures: seconds a person.
    finetune: tuple[Literal["self", "cross", "cross_truth", "lsim", "selfvideo", "crossvideo"], ...] = ()
    sweeps: SweepSettings = SweepSettings()  # of systems that move by action units
    backgrounds: BackgroundSettings = BackgroundSettings()  # of systems that draw before any picture
    judge: str = "tools"  # who reads pose, expression and identity
    judges: dict[str, str] = Field(default_factory=dict)  # by metric, where somebody else reads for it
    openface: OpenFaceSettings = OpenFaceSettings()  # for the judge openface
    agreement: int = Field(default=64, ge=0)  # generated pictures that a second judge reads, too, to be compared
    cache: str = "out/judged"  # folder of what was read from real pictures; "": every branch reads them anew
    judge_size: int = Field(default=256, ge=64, le=2048)  # px, pictures are enlarged to this
    networks: NetworkSettings = NetworkSettings()  # of your own, for metrics that need them
    batch: int = Field(default=32, ge=1)
    bootstrap: int = Field(default=1000, ge=1)  # repeats
    samples: int = Field(default=24, ge=0)  # test persons in the report, with a pair of each protocol
    alarms: EvaluateAlarms = EvaluateAlarms()
    seed: int = Field(default=0, ge=0)


def evaluate(
    *,
    frames: Path,
    landmarks: Path,
    actions: Path,
    validated: Path,
    guide: Path,
    model: Path,
    out: Path,
    branch: Branch,
    settings: EvaluateSettings,
    tracking: TrackingSettings,
    runtime: Runtime,
    segments: Path | None = None,
    videos: Path | None = None,
) -> StageResult:
    """Score `model`, the folder of `train`, on val and test pairs, and log the figures to the training's MLflow run.

    A training that failed gives a record that says so. Where MLflow is away, figures are kept and sent by the next run
    of the branch. Scenes in `videos` give cross pairs of rendered clips their true picture. The judge is independent
    of `guide`, which is read where a system is fine-tuned with the losses of its training.
    """
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.shards import read_stage
    from reenact.evaluation import records
    from reenact.tracking.connect import tracking_uri

    read_stage(model, kind="model")
    tracking_uri(tracking)  # an address that makes no sense is said before the work, not after it
    status = records.read_status(model)
    if status["status"] != "trained":
        records.write_failed(out, branch=branch.name, reason=str(status.get("reason", "unknown")))
        return StageResult(stage="evaluate", notes=(f"{branch.name}: training failed, nothing to score",))
    corpus = Corpus(frames, landmarks=landmarks, actions=actions, segments=segments, validated=validated)
    pairs, seed = pairs_of(corpus, validated, settings, videos=videos)
    judges = judges_of(settings, runtime)
    exam = Exam(corpus=corpus, pairs=pairs, seed=seed, judges=judges, validated=validated, guide=guide, videos=videos)
    written, edited = write_scores(
        out, model=model, branch=branch, exam=exam, settings=settings, runtime=runtime, alarms=status.get("alarms", [])
    )
    judges.cache.save()
    _log(out, edited, status, branch, tracking)
    return StageResult(stage="evaluate", counts=written)


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What every system that is to be compared is given and read by."""

    corpus: "Corpus"
    pairs: "pd.DataFrame"
    seed: int  # of the list of pairs
    judges: "Judges"
    validated: Path
    guide: Path | None = None  # is asked for where something is fine-tuned
    videos: Path | None = None


def write_scores(
    out: Path,
    *,
    model: Path,
    branch: Branch,
    exam: Exam,
    settings: EvaluateSettings,
    runtime: Runtime,
    alarms: Sequence[Mapping[str, Any]] = (),
) -> "tuple[dict[str, float], Edited]":
    """Score the system in `model` (weights and card) and write all that an evaluation leaves on disk.

    `alarms` are what its training said. Returns counts, and what was measured beside the pairs.
    """
    from reenact.atomic import write_json
    from reenact.evaluation import records, writing
    from reenact.evaluation.data_facts import data_facts
    from reenact.evaluation.editing import write_edited
    from reenact.evaluation.judge_facts import judge_facts
    from reenact.evaluation.notes import shot_notes
    from reenact.evaluation.pairs.redrawable import scene_files
    from reenact.evaluation.redrawn import Redrawn

    corpus, pairs, judges = exam.corpus, exam.pairs, exam.judges
    redrawn = Redrawn(corpus, scene_files(corpus, exam.videos))
    folders = (model, exam.guide)
    scored, drawing, cost, edited = _score(corpus, pairs, folders, branch, settings, runtime, judges, redrawn)
    drawing |= judge_facts(scored[branch.name], pairs, corpus, exam.videos, size=int(drawing["image_size"]),
                           judges=judges, default=settings.judge, judge_size=settings.judge_size,
                           most=settings.agreement)  # fmt: skip
    facts = {**drawing, "branch": branch.name, "system": branch.system, "variant": branch.variant,
             "training_seed": branch.seed, "pair_seed": exam.seed,
             "alarms": [*drawing["alarms"], *alarms]}  # fmt: skip
    write_json(out / "data.json", data_facts(corpus, exam.validated))  # for the report: it sees the branches only
    write_json(out / "cost.json", cost)
    write_edited(out, edited)
    written = writing.write_evaluation(
        out, scored, pairs, corpus, facts, judges, row=branch.name, repeats=settings.bootstrap, seed=settings.seed,
        samples=settings.samples,
        notes=[records.ONE_TRAINING, *shot_notes(facts["shots"], pairs), *edited.notes],
    )  # fmt: skip
    return written, edited


def judges_of(settings: EvaluateSettings, runtime: Runtime) -> "Judges":
    """The judges that the settings name, with what they remember of real pictures."""
    from reenact.evaluation.feature_cache import FeatureCache
    from reenact.evaluation.judges import Making, make_judges
    from reenact.training.device import device_of

    making = Making(
        size=settings.judge_size,
        cache=FeatureCache(Path(settings.cache) if settings.cache else None),
        openface=settings.openface,
        networks=settings.networks,
        device=str(device_of(runtime)),
        batch=settings.batch,
    )
    return make_judges(settings.judge, settings.judges, making)


def _log(out: Path, edited: "Edited", status: Mapping[str, Any], branch: Branch, tracking: TrackingSettings) -> None:
    """The branch's figures as metrics of its training's run, which is made where MLflow does not know it."""
    from reenact.evaluation import editing
    from reenact.evaluation.records import read_metrics
    from reenact.evaluation.table import figures_of_run
    from reenact.tracking.runs import branch_run, run_facts

    figures = {**figures_of_run(read_metrics(out), branch.name), **editing.figures_of_run(edited)}
    params, tags = run_facts(status)
    with branch_run(tracking, key=str(status["key"]), name=branch.name, params=params, tags=tags) as tracker:
        tracker.metrics(figures, int(status["steps"]))


def pairs_of(
    corpus: "Corpus", validated: Path, settings: EvaluateSettings, *, videos: Path | None
) -> "tuple[pd.DataFrame, int]":
    """The list of pairs and its seed: of the file that `evaluate.pairs` names, else drawn."""
    from reenact.corpus.splits import read_parts
    from reenact.evaluation.pair_files import check_pairs, draw_pairs, read_pairs
    from reenact.evaluation.protocols import Counts

    if settings.pairs:
        pairs, facts = read_pairs(Path(settings.pairs))
        check_pairs(Path(settings.pairs), pairs, corpus, read_parts(validated, "train"), videos=videos)
        return pairs, int(facts["seed"])
    counts = {name: Counts(**getattr(settings, name).model_dump()) for name in ("val", "test")}
    return draw_pairs(corpus, validated, counts, seed=settings.seed, videos=videos), settings.seed


def _score(
    corpus: "Corpus",
    pairs: "pd.DataFrame",
    folders: tuple[Path, Path | None],  # the model's, the guide's
    branch: Branch,
    settings: EvaluateSettings,
    runtime: Runtime,
    judges: "Judges",
    redrawn: "Redrawn",
) -> tuple[Mapping[str, list["Scored"]], dict[str, Any], dict[str, Any], "Edited"]:
    import torch

    from reenact.backbones.features import features_again
    from reenact.errors import SettingsError
    from reenact.evaluation.alarms import mask_verdict, verdicts
    from reenact.evaluation.cost import Timed
    from reenact.evaluation.editing import measure
    from reenact.evaluation.further_rows import further_rows
    from reenact.evaluation.pairs.shots import fewer_than
    from reenact.evaluation.pictures import Pictures
    from reenact.evaluation.rows import reenacted, rows_of
    from reenact.evaluation.scoring import score
    from reenact.systems.protocol import can_finetune, exact_sources, own_shots
    from reenact.systems.store import load_system
    from reenact.training.device import device_of

    torch.set_num_threads(runtime.threads)
    device = device_of(runtime)
    model, guide = folders
    system, facts = load_system(model, device=device)
    if settings.finetune and can_finetune(system):
        if guide is None:
            raise SettingsError("evaluate.finetune: fine-tuning needs the guide, and none is given here.")
        system.features = features_again(guide, facts["features"], settings.networks)
    pictures = Pictures(corpus, size=int(facts["size"]), redrawn=redrawn)
    timed: Any = Timed(system)
    shots = settings.shots or own_shots(system)
    if exact_sources(system) and shots != own_shots(system):
        raise SettingsError(
            f"evaluate.shots: {branch.name} draws from {own_shots(system)} source pictures and no other number, got "
            f"{shots}. Set it to 0: each system is then given as many as it was trained with."
        )
    how: dict[str, Any] = {"batch": settings.batch, "device": device, "shots": shots}
    more = further_rows(
        branch.name,
        system,
        pictures,
        **how,
        retarget=settings.retarget,
        shot_curve=settings.shot_curve,
        finetune=settings.finetune,
    )
    rows = rows_of(pictures, [(branch.name, reenacted(timed, pictures, **how)), *more])
    # First, since it is quick to say what it lacks.
    edited = measure(
        system, pictures, pairs, judges, row=branch.name, sweeps=settings.sweeps, backgrounds=settings.backgrounds,
        **how, repeats=settings.bootstrap, seed=settings.seed,
    )  # fmt: skip
    scored = score(rows, pairs, pictures, judges)
    cost: dict[str, Any] = timed.card(device=device, threads=runtime.threads)
    alarms = [*verdicts(scored, branch.name, settings.alarms),
              mask_verdict(system, pictures, pairs, settings.alarms, shots=shots, device=device)]  # fmt: skip
    said = [verdict.plain() for verdict in alarms]
    drawing = {"image_size": pictures.size, "model": facts, "alarms": said, "shots": shots,
               "pairs_with_fewer_shots": fewer_than(pairs, shots)}  # fmt: skip
    return scored, drawing, cost, edited
