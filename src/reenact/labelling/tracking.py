"""Follow the faces of a video: the main one, or all of them; tracks end at cuts and are kept apart.

Streaming: one frame is held at a time; per frame of a track a box, a centre and a size are kept.
"""

from collections.abc import Iterable
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from reenact.config import Settings
from reenact.corpus.shards import Image
from reenact.labelling.backend import Confirmer, Detection, Detector, Gray, LandmarkPredictor, Points, Recogniser
from reenact.labelling.backwards import Backlog
from reenact.labelling.cuts import CutFinder
from reenact.labelling.finding import (
    DetectSettings,
    Tools,
    detect_every_face,
    detect_faces,
    overlap,
    plausible_in,
    prominence,
)
from reenact.labelling.follow import Face
from reenact.labelling.geometry import detector_like_box
from reenact.labelling.tracks import Followed

_AWAY = "the face was away for longer than detect.max_gap"
_CROSSING = 0.25  # overlap of two faces from which nobody can say any more which is which
_APART = 0.1  # and below which a second face is one of its own


class TrackSettings(Settings):
    """Which faces of a video are followed, and who they are."""

    people: Literal["main", "all"] = "main"  # the largest, most central face; or every face
    recognise: Literal["never", "within", "across"] = (
        "never"  # dlib's recognition network, see labelling/recognition.py
    )
    min_seconds: float = Field(default=1.0, ge=0)  # tracks shorter than this are left out, but for a video's main one
    look: float = Field(default=1.0, gt=0)  # s between two looks at the whole picture for further people
    sample: float = Field(default=2.0, gt=0)  # s of a track between two faces that are recognised
    distance: float = Field(default=0.5, gt=0)  # of a face from the mean of a person's, from which it is another's


def follow(
    frames: Iterable[tuple[int, Image]],
    *,
    fps: float,
    detector: Detector,
    predictor: LandmarkPredictor,
    settings: DetectSettings,
    confirmer: Detector | Confirmer | None = None,
    tracks: TrackSettings | None = None,
    recogniser: Recogniser | None = None,
) -> Followed:
    """Follow faces through (number, RGB picture) pairs; `recogniser` takes samples of each track.

    `confirmer` looks near a tracked face and may be easier to satisfy than the `detector` of the whole picture. With
    one that knows faces at any turn a face is also followed back from where the detector found it.
    """
    followers = _Followers(
        Tools(detector, confirmer or detector, predictor, settings), tracks or TrackSettings(), recogniser, fps
    )
    for number, image in frames:
        followers.step(number, image)
    return followers.result()


class _Followers:
    """All faces that are followed in the present shot, and the tracks that are over."""

    def __init__(self, tools: Tools, settings: TrackSettings, recogniser: Recogniser | None, fps: float) -> None:
        self.tools, self.settings, self.recogniser = tools, settings, recogniser
        self.max_gap = max(2, round(tools.settings.max_gap * fps))
        self.look_every = max(1, round(settings.look * fps))
        self.sample_every = max(1, round(settings.sample * fps))
        self.followed = Followed()
        self.cuts = CutFinder()
        turned = isinstance(tools.confirmer, Confirmer)
        self.backlog = Backlog(round(tools.settings.back * fps) if turned else 0)
        self.faces: list[Face] = []
        self.why = "the beginning"  # of the next track, "" where nothing but the face itself is new
        self.alone = 0  # frames since any face was present
        self.looked = 0  # frames since the whole picture was looked at

    def step(self, number: int, image: Image) -> None:
        self.followed.frames_read += 1
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        if self.cuts(gray) and self.followed.tracks:
            self._end(self.faces, "")
            self.why, self.alone = f"cut at frame {number}", 0
            self.backlog.clear()
        look = self._wants_look()
        for face in self.faces:
            if face.present:
                face.advance(number, gray, image)
            else:
                face.lost += 1
        if self.settings.people == "all":
            self._part_crossing(number)
        if look:
            self._look(number, gray, image)
        self._end([face for face in self.faces if face.lost >= self.max_gap], _AWAY)
        if any(face.present for face in self.faces):
            self.alone = 0
            self.backlog.clear()
        else:
            self.alone += 1
            self.backlog.add(number, gray)
        self._sample(image)

    def result(self) -> Followed:
        self._end(self.faces, "")
        return self.followed

    def _wants_look(self) -> bool:
        """While nobody is present, at every frame, and after some only now and then; for further people as set."""
        self.looked += 1
        every = self.tools.settings.every
        if not any(face.present for face in self.faces):
            return self.alone <= every or self.alone % every == 0
        if self.settings.people == "main":
            return False
        returning = any(not face.present and face.lost <= every for face in self.faces)
        return returning or self.looked >= self.look_every

    def _look(self, number: int, gray: Gray, image: Image) -> None:
        """Look at the whole picture: who is new, who is back."""
        self.looked = 0
        only = self.settings.people == "main"
        find = detect_faces if only else detect_every_face
        found = find(gray, self.tools.detector, min_face=self.tools.settings.min_face)
        if len(found) > self.followed.faces:
            self.followed.faces, self.followed.faces_at = len(found), number
        why = self.why
        for detection in sorted(found, key=lambda one: -prominence(one, gray)):
            if not only and self._crowded(detection, found):
                continue
            landmarks = self.tools.predictor(gray, detection.box)
            if plausible_in(landmarks, gray):
                face = self._seen(number, why, landmarks)
                face.track.frames += self.backlog.follow(self.tools, number, gray, landmarks)
                face.seen(number, gray, image, landmarks, detection.score)
                if only:
                    return

    def _crowded(self, detection: Detection, found: list[Detection]) -> bool:
        """Whether it is a face that is followed already, or one that can't be told from its neighbour."""
        taken = [face.box for face in self.faces if face.present]
        taken += [other.box for other in found if other is not detection]
        return any(overlap(detection.box, box) > _APART for box in taken)

    def _seen(self, number: int, why: str, landmarks: Points) -> Face:
        """The face that comes back here, or a new one."""
        lost = [face for face in self.faces if not face.present]
        back = [face for face in lost if face.same_place(landmarks)]
        if back:
            here = detector_like_box(landmarks)
            return max(back, key=lambda face: overlap(face.box, here))
        if not why:
            why = f"{'another place' if lost else 'another face'} at frame {number}"
        if self.settings.people == "main":
            self._end(self.faces, "")
        face = Face(self.tools, why)
        self.why = ""
        self.faces.append(face)
        self.followed.tracks.append(face.track)
        return face

    def _part_crossing(self, number: int) -> None:
        """End the tracks of faces that run into each other: which is which afterwards, positions can't tell."""
        present = [face for face in self.faces if face.present]
        crossing = [
            face
            for face in present
            if any(overlap(face.box, other.box) > _CROSSING for other in present if other is not face)
        ]
        self._end(crossing, f"faces met at frame {number}")

    def _end(self, faces: list[Face], why: str) -> None:
        for face in faces:
            face.finish()
        if faces:
            self.faces = [face for face in self.faces if face not in faces]
            self.why = why

    def _sample(self, image: Image) -> None:
        if self.recogniser is not None:
            for face in self.faces:
                if face.wants_sample(self.sample_every):
                    face.sample(self.recogniser(image, face.landmarks))
