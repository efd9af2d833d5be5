"""Whom `reenact edit` draws: frames of the corpus, or pictures that are labelled on the way."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np

from reenact.config import nearest
from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.sampling import resized
from reenact.corpus.shards import Image, read_stage
from reenact.corpus.tables import read_table
from reenact.errors import BadInput, SettingsError
from reenact.params import Params
from reenact.steps import FOLDERS, STEPS, arguments, call_stage
from reenact.systems.card import Label

if TYPE_CHECKING:
    from reenact.faces.batch import Faces

_STAGES = ("fetch_data", "extract_frames", "label_landmarks", "label_actions", "label_segments")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One person to be drawn: (1, ...) labelled faces, and what the picture shows as it is."""

    name: str
    faces: "Faces"
    picture: Image


def find_model(model: str, root: Path) -> Path:
    """The folder of a trained system: a branch below `root` by its name, or a folder that holds one."""
    places = (root / "branches" / model / "train", Path(model) / "train", Path(model))
    for place in places:
        if (place / "model.json").is_file():
            return place
    known = sorted(path.parent.parent.name for path in (root / "branches").glob("*/train/model.json"))
    raise SettingsError(
        f"{model}: no trained branch below {root} and no folder with a model.json. Train it first, or say with --out "
        f"where its corpus is{nearest(model, known)}"
    )


class Sources:
    """Reads sources at a system's size; `root` is the folder below which the stages' folders lie."""

    def __init__(self, root: Path, *, size: int, labels: Sequence[Label]) -> None:
        self.root, self.size, self.labels = root, size, labels
        self._corpus: Corpus | None = None

    def read(self, named: Sequence[str], settings: Callable[[list[str]], Params]) -> list[Source]:
        """A source for each CLIP, CLIP:FRAME or picture file, in their order.

        `settings` are those that pictures are labelled by, with further overrides.
        """
        files = {name: Path(name) for name in named if Path(name).is_file()}
        new = self._labelled(files, settings) if files else {}
        return [new[name] if name in new else self._of_corpus(name) for name in named]

    def background(self, name: str) -> Image:
        """(S, S, 3) RGB: the middle square of a picture file, or a frame of the corpus."""
        if not Path(name).is_file():
            clip, frame = self._frame(name)
            return resized(np.asarray(self._open().image(clip, frame)), self.size)
        read = cv2.imread(name, cv2.IMREAD_COLOR)
        if read is None:
            raise BadInput(f"{name}: can't be read as a picture. Give a PNG or JPEG file.")
        side = min(read.shape[:2])
        top, left = ((edge - side) // 2 for edge in read.shape[:2])
        square = cv2.cvtColor(read[top : top + side, left : left + side], cv2.COLOR_BGR2RGB)
        return resized(np.asarray(square, dtype=np.uint8), self.size)

    def _open(self) -> Corpus:
        if self._corpus is None:
            self._corpus = _corpus(self.root)
        return self._corpus

    def _of_corpus(self, name: str) -> Source:
        clip, frame = self._frame(name)
        return self._source(name, self._open(), clip, frame)

    def _frame(self, name: str) -> tuple[Clip, int]:
        corpus = self._open()
        clip, number = (name, "0") if name in corpus.by_name else name.rpartition(":")[::2]
        if clip not in corpus.by_name:
            near = nearest(clip or name, corpus.by_name) if len(corpus.by_name) < 1000 else ""
            raise SettingsError(f"{name}: neither a picture file nor a frame (CLIP:FRAME) below {self.root}{near}")
        found = corpus.by_name[clip]
        if not number.isdigit() or int(number) >= found.count:
            raise SettingsError(f"{name}: {clip} has frames 0 to {found.count - 1}.")
        return found, int(number)

    def _source(self, name: str, corpus: Corpus, clip: Clip, frame: int) -> Source:
        from reenact.evaluation.pictures import Pictures

        if not corpus.found(clip)[frame]:
            raise BadInput(f"{name}: no face was found in this frame, or its labels can't be trusted. Take another.")
        pictures = Pictures(corpus, size=self.size)
        labels: tuple[Label, ...] = tuple(dict.fromkeys((*self.labels, "actions", "pose")))
        faces = pictures.faces([(clip.clip, frame)], labels)
        return Source(name=name, faces=faces, picture=pictures.one(clip.clip, frame))

    def _labelled(self, files: Mapping[str, Path], settings: Callable[[list[str]], Params]) -> dict[str, Source]:
        """Pictures as the pipeline sees any other: found, cropped and labelled by the same stages and settings."""
        with TemporaryDirectory(prefix="reenact-") as folder:
            root = Path(folder)
            (root / "given").mkdir()
            clips = {f"picture{place:03d}": name for place, name in enumerate(files)}
            for clip, name in clips.items():
                shutil.copyfile(files[name], root / "given" / f"{clip}{files[name].suffix.lower()}")
            params = settings([f"fetch_data.videos={json.dumps(str(root / 'given'))}", "fetch_data.layout=pictures",
                               'fetch_data.exclude=""', "label_segments.make=always"])  # fmt: skip
            try:
                _run_stages(root, params, segments="segments" in self.labels)
            except BadInput as error:
                raise BadInput(_said_of(", ".join(files), str(error).splitlines()[-1])) from None
            corpus = _corpus(root)
            rows = corpus.table.iloc[::-1].to_dict("records")  # of several faces in a picture the first one stays
            found = {str(row["video"]): corpus.by_name[str(row["clip"])] for row in rows}
            lost = read_table(root / "frames" / "quarantine.parquet", kind="quarantine")
            for clip, name in clips.items():
                if clip not in found:
                    why = "; ".join(lost.loc[lost["clip"] == clip, "reason"].astype(str))
                    raise BadInput(_said_of(name, why) if why else f"{name}: no face was found in it.")
            return {name: self._source(name, corpus, found[clip], 0) for clip, name in clips.items()}


def _run_stages(root: Path, params: Params, *, segments: bool) -> None:
    for stage in _STAGES if segments else _STAGES[:-1]:
        # The settings say where the pictures are.
        folders = {} if stage == "fetch_data" else {name: root / name for name in STEPS[stage].inputs}
        call_stage(stage, out=root / FOLDERS[stage], told=arguments(params, stage), folders=folders)


def _corpus(root: Path) -> Corpus:
    folders = {name: root / name for name in ("landmarks", "actions", "segments", "validated")}
    there = {name: folder for name, folder in folders.items() if (folder / "stage.json").is_file()}
    if "segments" in there and not read_stage(there["segments"], kind="segments").get("made", True):
        del there["segments"]
    return Corpus(root / "frames", **there)


def _said_of(name: str, reason: str) -> str:
    """What a stage says of its own copy, about the file that was named."""
    return f"{name}: {reason.partition(': ')[2] or reason}"
