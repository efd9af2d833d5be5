"""Pictures too far apart in time to follow a face through them: each is looked at by itself."""

from collections.abc import Iterable
from typing import Any

from reenact.corpus.shards import Image
from reenact.labelling.tracking import follow
from reenact.labelling.tracks import Followed, Track

SLOW = 3.0  # pictures a second, below which a head is somewhere else in the next one


def look_at_each(frames: Iterable[tuple[int, Image]], **tools: Any) -> Followed:
    """The main face of each (number, RGB picture), all in one track: the data set says that it is one person.

    `tools` are those of `follow`.
    """
    whole = Followed()
    track = Track("the beginning")
    for number, image in frames:
        seen = follow([(number, image)], **tools)
        whole.frames_read += 1
        if seen.faces > whole.faces:
            whole.faces, whole.faces_at = seen.faces, number
        if seen.tracks:
            main = max(seen.tracks, key=lambda one: one.weight)
            track.samples += [(len(track.frames), embedding) for _, embedding in main.samples]
            track.frames += main.frames
    if track.frames:
        whole.tracks.append(track)
    return whole
