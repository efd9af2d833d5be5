"""A track: one face from where it appears to a cut or to where it is lost; and which tracks of a video become clips."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reenact.labelling.backend import Box


@dataclass(frozen=True)
class TrackedFrame:
    """One frame with the followed face, in video pixels."""

    frame: int
    centre: tuple[float, float]  # landmark 28
    extent: float  # max(width, height) of the box around the landmarks
    box: Box  # as the detector would draw it
    score: float  # the detector's, NaN where tracked


@dataclass
class Track:
    """One face without a break; `why` is a phrase that says what came before."""

    why: str
    frames: list[TrackedFrame] = field(default_factory=list)
    colours: NDArray[np.float32] | None = None  # FaceColours.usual(), for the occlusion of its frames
    samples: list[tuple[int, NDArray[np.float64]]] = field(default_factory=list)  # place in `frames`, embedding

    @property
    def first(self) -> int:
        """Number of its first frame in the video."""
        return self.frames[0].frame

    @property
    def last(self) -> int:
        """Number of its last frame."""
        return self.frames[-1].frame

    @property
    def weight(self) -> float:
        """How much of the video it is: frames times the face's size."""
        return sum(one.box.side for one in self.frames)

    def beside(self, other: "Track") -> bool:
        """Whether both were seen at the same time: then they are two people."""
        return self.first <= other.last and other.first <= self.last


@dataclass
class Followed:
    """All tracks of a video, in the order in which they began; `notes` are phrases about what was done to them."""

    tracks: list[Track] = field(default_factory=list)
    frames_read: int = 0
    faces: int = 0  # the most faces seen in one frame
    faces_at: int = 0  # and the frame where
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Named:
    """A track that becomes a clip; people are numbered within the video, 1 is who has the clip's own identity."""

    track: Track
    number: int  # of the track, 1: the one with the video's own name
    person: int

    def clip(self, video: str) -> str:
        """VIDEO, VIDEO~2, ..."""
        return numbered(video, self.number)

    def identity(self, video: str, identity: str) -> str:
        """The identity of the video's main person; another's is named after the video, where nobody else has it."""
        return identity if self.person == 1 else numbered(video, self.person)


def numbered(name: str, number: int) -> str:
    """NAME for 1, NAME~2 for 2."""
    return name if number == 1 else f"{name}~{number}"


def choose_tracks(
    tracks: Sequence[Track], people: Sequence[int] | None = None, *, main_frames: int, other_frames: int
) -> list[Named]:
    """The tracks that are long enough, the main one first, the others in order of time.

    The main track has the largest weight and needs `main_frames`, the others `other_frames`. `people` says for each
    track who it is; without it nobody knows, and each is somebody else.
    """
    if not tracks:
        return []
    people = list(people) if people is not None else list(range(len(tracks)))
    heaviest = max(range(len(tracks)), key=lambda index: (tracks[index].weight, -index))
    if len(tracks[heaviest].frames) < main_frames:
        return []
    others = sorted(
        (index for index, track in enumerate(tracks) if index != heaviest and len(track.frames) >= other_frames),
        key=lambda index: (tracks[index].first, tracks[index].frames[0].centre),
    )
    order = [heaviest, *others]
    persons = {who: place for place, who in enumerate(dict.fromkeys(people[index] for index in order), start=1)}
    return [
        Named(tracks[index], number, persons[people[index]]) for number, index in enumerate(order, start=1)
    ]  # fmt: skip


def lanes(named: Sequence[Named]) -> list[list[Named]]:
    """Tracks in as few groups as can be in which none overlaps another in time: each is one pass over the video."""
    free: list[list[Named]] = []
    for one in sorted(named, key=lambda item: (item.track.first, item.number)):
        lane = next((lane for lane in free if lane[-1].track.last < one.track.first), None)
        if lane is None:
            free.append([one])
        else:
            lane.append(one)
    return free


def track_notes(followed: Followed, chosen: Sequence[Named], *, video: str, people: str) -> list[str]:
    """Sentences for the quarantine table about what was made of a video's tracks; none for one face without a break."""
    notes = [f"{note}." for note in followed.notes]
    if followed.faces > 1 and people == "main":
        notes.append(
            f"{followed.faces} faces at frame {followed.faces_at}; the largest, most central one is followed. Set "
            "extract_frames.tracks.people: all to follow each, or cut the video to one person."
        )
    if len(chosen) > 1:
        named = [f"{one.clip(video)} (frames {one.track.first} to {one.track.last}, {one.track.why})" for one in chosen]
        notes.append(f"{len(chosen)} tracks are clips of their own: {_listed(named)}.")
    kept = {id(one.track) for one in chosen}
    short = [f"{one.first} to {one.last} ({one.why})" for one in followed.tracks if id(one) not in kept]
    if short:
        if len(chosen) == 1:
            one = chosen[0].track
            notes.append(f"the clip is frames {one.first} to {one.last} ({one.why}).")
        notes.append(f"left out, shorter than extract_frames.tracks.min_seconds: frames {_listed(short)}.")
    return notes


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
