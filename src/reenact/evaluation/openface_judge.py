"""OpenFace as a judge, by the CSV files of its FaceLandmarkImg: what the papers read pose and expression with.

A picture and its file are named by the picture's content. Pictures that have no file yet are put into the folder as
PNG, enlarged, and the evaluation ends with a sentence that says so; whoever has OpenFace runs

    FaceLandmarkImg -fdir FOLDER -out_dir FOLDER -2Dfp -pose -aus

and evaluates again. With `evaluate.openface.command` the program is run by us. An empty file, or one of a header alone,
says that OpenFace found no face. A picture without a file is never taken for one without a face.

Intensities of single pictures: OpenFace calibrates on a person's video only. It knows no identity: descriptors are of
dlib's recognition network on the face that its landmarks mark. Its licence allows academic, non-commercial use only.
"""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file, storage_errors
from reenact.corpus.shards import Image
from reenact.errors import BadInput, SettingsError
from reenact.evaluation.feature_cache import FeatureCache, content_key
from reenact.evaluation.judge import ACTIONS, POINTS, People, enlarged
from reenact.evaluation.judge_settings import OpenFaceSettings
from reenact.evaluation.metrics.metric import Floats
from reenact.evaluation.tools import DESCRIPTOR, described, recognition

_ASKED = ("-fdir", "{folder}", "-out_dir", "{folder}", "-2Dfp", "-pose", "-aus")
_ROW = POINTS * 2 + 3 + ACTIONS


class OpenFaceJudge:
    """See judge.Judge."""

    def __init__(self, settings: OpenFaceSettings, *, size: int = 256) -> None:
        from reenact.labelling import dlib_backend

        if not settings.folder:
            raise SettingsError(
                "evaluate.openface.folder: empty; judge openface needs the folder of OpenFace's CSV files, which may "
                "be empty at first."
            )
        self.settings, self.size, self.folder = settings, size, Path(settings.folder)
        self._recognise = recognition()
        self._sha256 = {"recognition": dlib_backend.model_sha256(dlib_backend.RECOGNITION_FILE)}
        # In memory alone: the files may be made anew.
        self._cache = FeatureCache()

    @property
    def card(self) -> dict[str, Any]:
        """Name with the version that the setting states; there is no file of OpenFace's to be hashed."""
        name = " ".join(["openface", *([self.settings.version] if self.settings.version else [])])
        return {"name": f"{name}: FaceLandmarkImg, confidence {self.settings.least_confidence:g}", "size": self.size,
                "sha256": dict(self._sha256)}  # fmt: skip

    def prepare(self, pictures: Iterable[Image]) -> None:
        """Make sure that every picture has a file.

        Raises BadInput that counts and names those which have none, when they lie in the folder to be read.
        """
        large = (enlarged(picture, self.size) for picture in pictures)
        wanted = {content_key(picture): picture for picture in large}
        missing = {key: picture for key, picture in wanted.items() if not self._file(key).exists()}
        if missing and self.settings.command:
            self._run(missing)
            missing = {key: picture for key, picture in missing.items() if not self._file(key).exists()}
        if missing:
            for key, picture in missing.items():
                _write_png(self.folder / f"{key}.png", picture)
            first = sorted(missing)[0]
            raise BadInput(
                f"{self.folder}: {len(missing)} of {len(wanted)} pictures have no CSV file of OpenFace's (first: "
                f"{first}.csv). They lie there as PNG: run `FaceLandmarkImg -fdir {self.folder} -out_dir {self.folder} "
                "-2Dfp -pose -aus`, then evaluate again. An empty file says that OpenFace finds no face."
            )

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1; NaN rows where OpenFace trusts no face."""
        return self._said(pictures)[:, : POINTS * 2].reshape(-1, POINTS, 2).astype(np.float32)

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 128) of dlib's recognition network."""
        if not len(pictures):
            return np.zeros((0, DESCRIPTOR), dtype=np.float32)
        return self._cache.rows("recognition", pictures, self._describe)

    def pose_and_actions(self, pictures: Sequence[Image], people: People) -> tuple[Floats, Floats]:
        """OpenFace's own (N, 3) and (N, 17)."""
        said = self._said(pictures)
        return said[:, POINTS * 2 : -ACTIONS], said[:, -ACTIONS:]

    def _said(self, pictures: Sequence[Image]) -> Floats:
        if not len(pictures):
            return np.zeros((0, _ROW))
        return self._cache.rows("files", pictures, lambda some: np.stack([self._row(picture) for picture in some]))

    def _row(self, picture: Image) -> Floats:
        """The surest face's landmarks in crop coordinates, pose and intensities; NaN where there is no such face."""
        from reenact.labelling.openface_csv import read_openface

        path = self._file(content_key(enlarged(picture, self.size)))
        nobody = np.full(_ROW, np.nan)
        if _says_nothing(path):
            return nobody
        file = read_openface(path)
        if file.mode != "FaceLandmarkImg":
            raise BadInput(f"{path}: written by {file.mode}, for a video. Single pictures are read by FaceLandmarkImg.")
        if file.landmarks is None or file.pose is None or file.actions is None:
            raise BadInput(f"{path}: lacks landmarks, pose or intensities. Run FaceLandmarkImg with -2Dfp -pose -aus.")
        trusted = np.flatnonzero(file.trusted(self.settings.least_confidence))
        if not len(trusted):
            return nobody
        row = trusted[np.argmax(file.confidence[trusted])]
        return np.concatenate([(file.landmarks[row] / self.size).ravel(), file.pose[row], file.actions[row]])

    def _describe(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        points = self.landmarks(pictures).astype(np.float64) * self.size
        return described(pictures, points, self.size, self._recognise)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.csv"

    def _run(self, missing: dict[str, Image]) -> None:
        """Have OpenFace read pictures in a folder of their own: an evaluation beside this one may do the same."""
        from reenact.labelling.external import ExternalSettings, run_program

        command = (*self.settings.command, *_ASKED)
        program = ExternalSettings(command=command, timeout_seconds=self.settings.timeout_seconds)
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".asked-", dir=self.folder.resolve()) as name:
                place = Path(name)
                for key, picture in missing.items():
                    _write_png(place / f"{key}.png", picture)
                run_program(place, program, "evaluate.openface")
                for file in place.glob("*.csv"):
                    with atomic_file(self.folder / file.name) as temporary:
                        shutil.copyfile(file, temporary)


def _write_png(path: Path, picture: Image) -> None:
    if path.exists():
        return
    with atomic_file(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _says_nothing(path: Path) -> bool:
    """Whether a file has no line below its header."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            stream.readline()
            return not any(line.strip() for line in stream)
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}).") from None
