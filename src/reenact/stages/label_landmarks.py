"""68 landmarks for every stored crop."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from reenact.config import Runtime, Settings
from reenact.corpus.shards import read_rows, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table
from reenact.hashing import hash_json
from reenact.labelling.backends import LANDMARK_LABELLERS, known_backend
from reenact.labelling.external import EXTERNAL, ExternalSettings, with_command
from reenact.labelling.shard_work import NewShard, keep_only, make_shards, shard_code, shard_facts
from reenact.labelling.synthetic.models import SyntheticModel
from reenact.stages.result import StageResult, problem_notes

if TYPE_CHECKING:
    from reenact.labelling.clip_frames import ClipFrames
    from reenact.labelling.landmark_labels import LandmarkLabels


class LabelLandmarksSettings(Settings):
    """Which backend, and on what enlargement of the crop."""

    backend: str = "dlib"  # or synthetic, files, openface_csv, face_alignment, external
    synthetic: SyntheticModel = SyntheticModel()  # a network of your own in place of the released one
    enlarge_to: int = Field(default=512, ge=64, le=4096)  # px; dlib answers in whole pixels of the picture it is given
    looks: int = Field(default=3, ge=1, le=5)  # slightly different face boxes over which landmarks are averaged
    min_confidence: float = Field(default=0.8, ge=0, le=1)  # of OpenFace's files: surer frames count as found
    external: ExternalSettings = ExternalSettings()  # for face_alignment and external

    @field_validator("backend")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_backend(name, LANDMARK_LABELLERS)


def label_landmarks(
    *,
    frames: Path,
    out: Path,
    settings: LabelLandmarksSettings,
    runtime: Runtime,
    videos: Path | None = None,
    store: Path | None = None,
) -> StageResult:
    """Landmarks (N, 68, 2) in crop coordinates and found (N,) per shard. Makes the shards that aren't there yet.

    A backend that sees depth leaves landmarks3d (N, 68, 3), visibility (N, 68) and pose (N, 3) beside them. `videos` is
    read by the backends that take labels from files beside the videos.
    """
    from reenact.labelling import backends
    from reenact.labelling.label_files import files_digest, grouped

    frames, out = Path(frames), Path(out)
    read_stage(frames, kind="frames")
    if settings.backend in EXTERNAL:
        external = with_command(settings.external, settings.backend, where="label_landmarks.external")
        settings = settings.model_copy(update={"external": external})
    beside = videos if settings.backend in backends.FILE_BACKENDS else None
    groups = grouped(read_table(frames / "clips.parquet", kind="clips"))
    facts = backends.backend_facts(settings.backend, settings.synthetic)
    code = shard_code("corpus/annotations.py", "stages/label_landmarks.py")
    base = [code, settings.plain(), facts]
    digests = files_digest(beside, groups)
    names = {shard: f"{shard}-{hash_json([*base, *digests[shard]])[:12]}" for shard in groups}
    tasks = {names[shard]: (frames, beside, shard, group, settings) for shard, group in groups.items()}
    made = make_shards(
        _label_shard, tasks, out=out, store=store, workers=runtime.workers, what="landmarks: shards"
    )  # fmt: skip
    licence = {"licence": backends.landmark_licence(settings.backend)}
    write_stage(out, kind="landmarks", shards=names, **{**licence, **facts})
    keep_only(out, tasks)
    counts = [shard_facts(out, name) or {} for name in tasks]
    rows, found = sum(one["rows"] for one in counts), sum(one["found"] for one in counts)
    return StageResult(
        stage="label_landmarks",
        counts={"frames": float(rows), "found": float(found), "shards_now": float(made)},
        notes=problem_notes(problem for one in counts for problem in one["problems"]),
    )


def _label_shard(
    task: tuple[Path, Path | None, str, list[dict[str, Any]], LabelLandmarksSettings], out: NewShard
) -> None:
    from reenact.labelling.clip_frames import shard_clips

    frames, videos, shard, group, settings = task
    clips = list(shard_clips(frames, shard, group, videos=videos))
    count = len(read_rows(frames, shard, kind="frames"))
    landmarks, found = np.full((count, 68, 2), 0.5, dtype=np.float32), np.zeros(count, dtype=bool)
    solid: dict[str, Any] = {}
    problems = []
    for clip, labels in zip(clips, _labels(clips, settings), strict=True):
        landmarks[clip.rows], found[clip.rows] = labels.landmarks, labels.found
        problems += [labels.problem] if labels.problem else []
        for name, values in vars(labels.solid).items() if labels.solid else ():
            if values is None:
                continue
            whole = solid.setdefault(name, np.zeros((count, *values.shape[1:]), dtype=np.float32))
            whole[clip.rows] = values
    for name, array in {"landmarks": landmarks, "found": found, **solid}.items():
        write_array(out.folder, out.name, name, array)
    out.facts |= {"rows": count, "found": int(found.sum()), "problems": problems}


def _labels(clips: list["ClipFrames"], settings: LabelLandmarksSettings) -> "Iterable[LandmarkLabels]":
    from reenact.labelling import backends, landmark_labels

    if settings.backend == "files":
        return landmark_labels.from_files(clips)
    if settings.backend == "openface_csv":
        return landmark_labels.from_openface(clips, least_confidence=settings.min_confidence)
    if settings.backend in EXTERNAL:
        return landmark_labels.by_program(clips, settings.external)
    if settings.backend == "synthetic":
        from reenact.labelling.synthetic.backend import SURE
        from reenact.labelling.synthetic.reading import face_reader

        return landmark_labels.by_network(clips, face_reader(settings.synthetic), sure=SURE)
    predictor = backends.landmark_predictor(settings.backend)
    return landmark_labels.by_predictor(clips, predictor, enlarge_to=settings.enlarge_to, looks=settings.looks)
