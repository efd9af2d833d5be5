"""Near-duplicates: found re-encoded, resized, cropped, mirrored and trimmed; strangers and one's own parts are not."""

from functools import cache

import cv2
import numpy as np
import pandas as pd
import pytest

from reenact.corpus.duplicates import Fingerprints, fingerprint, fingerprints, mirrored, near_duplicates
from reenact.corpus.expectations import duplicate_outcomes
from reenact.corpus.shards import frame_writer, write_rows
from reenact.corpus.tables import write_table
from reenact.rendering.clips import invent_scene
from reenact.rendering.scene import Stage

LIMIT = 24
FRAMES = range(0, 24, 3)


@cache
def face(identity, clip=0):
    """(8, 128, 128, 3): a drawn person's crops, cut out by the true landmarks."""
    scene = invent_scene(seed=77, identity=identity, clip=clip, frames=24, fps=25.0, size=192, yaw=30.0, honest=True)
    stage = Stage(scene.person, scene.surroundings, scene.motion, scene.size)
    crops = []
    for frame in FRAMES:
        picture, labels = stage.draw(scene.motion, frame)
        half = 0.85 * np.ptp(labels.landmarks, axis=0).max()
        x, y = labels.landmarks[28]
        zoom = 128 / (2 * half)
        place = np.array([[zoom, 0, 64 - zoom * x], [0, zoom, 64 - zoom * y]])
        crops.append(cv2.warpAffine(picture, place, (128, 128), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(crops)


def prints_of(name, pictures):
    words = np.stack([fingerprint(picture) for picture in pictures])
    return Fingerprints(clip=name, frames=np.arange(len(words)), words=words)


def bits_apart(a, b):
    return int(np.bitwise_count(a ^ b).sum())


def encoded(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


def smaller(picture):
    return cv2.resize(cv2.resize(picture, (60, 60), interpolation=cv2.INTER_AREA), (96, 96))


def moved(picture):
    """What another cut of the same video does to a crop that follows the face."""
    place = np.array([[1.01, 0, -1.5], [0, 1.01, 0.3]])
    return cv2.warpAffine(picture, place, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def brighter(picture):
    return cv2.convertScaleAbs(picture, alpha=1.1, beta=12)


@pytest.mark.parametrize("change", [encoded, smaller, moved, brighter, cv2.flip])
def test_a_copy_is_found_however_it_was_made(change):
    pictures = face(1)
    copies = [change(picture, 1) if change is cv2.flip else change(picture) for picture in pictures[3:]]
    pairs = near_duplicates([prints_of("a", pictures), prints_of("b", copies)], distance=LIMIT)
    assert pairs[["clip", "other"]].to_numpy().tolist() == [["a", "b"]]
    assert pairs.loc[0, "matched"] >= 4
    assert abs(pairs.loc[0, "frame"] - pairs.loc[0, "other_frame"] - 3) <= 1  # neighbours hardly differ


def test_drawn_strangers_are_no_duplicates():
    prints = [prints_of(f"p{identity}", face(identity)) for identity in range(1, 8)]
    assert near_duplicates(prints, distance=LIMIT).empty
    nearest = min(
        bits_apart(one, other)
        for number, person in enumerate(prints)
        for stranger in prints[:number]
        for one in person.words
        for other in [*stranger.words, *mirrored(stranger.words)]
    )
    assert nearest > 1.5 * LIMIT  # the limit lies far from where strangers begin


def test_the_mirrored_fingerprint_is_that_of_the_mirrored_picture():
    picture = face(2)[0]
    assert bits_apart(mirrored(fingerprint(picture)), fingerprint(picture[:, ::-1].copy())) <= 2
    assert bits_apart(fingerprint(picture), fingerprint(picture[:, ::-1].copy())) > LIMIT


def test_the_index_finds_what_comparing_everything_finds():
    rng = np.random.default_rng(3)

    def noisy(words, share):
        flipped = np.packbits(rng.random((len(words), 256)) < share, axis=1).view(np.uint64)
        return words ^ flipped

    base = rng.integers(0, 2**63, (60, 12, 4), dtype=np.uint64)
    clips = [*base, *(noisy(mirrored(base[i]) if i % 2 else base[i], 0.04) for i in range(20))]
    prints = [Fingerprints(clip=f"{i:03d}", frames=np.arange(12), words=words) for i, words in enumerate(clips)]

    def close(a, b):
        return sum(bits_apart(one, other) <= LIMIT for one, other in zip(a, b, strict=True)) >= 3

    expected = {
        (f"{i:03d}", f"{j:03d}")
        for j in range(len(clips))
        for i in range(j)
        if close(clips[i], clips[j]) or close(mirrored(clips[i]), clips[j])
    }
    found = near_duplicates(prints, distance=LIMIT)
    assert len(expected) == 20
    assert set(zip(found["clip"], found["other"], strict=True)) == expected


def test_a_crowd_of_copies_hangs_together():
    words = prints_of("", face(4)).words
    prints = [Fingerprints(clip=f"{i:02d}", frames=np.arange(len(words)), words=words) for i in range(50)]
    pairs = near_duplicates(prints, distance=LIMIT)
    assert set(pairs["clip"]) | set(pairs["other"]) == {one.clip for one in prints}
    assert len(pairs) < 50 * 49 / 2


def test_a_still_is_found_in_a_clip():
    pairs = near_duplicates([prints_of("clip", face(5)), prints_of("still", [encoded(face(5)[7])])], distance=LIMIT)
    assert pairs[["clip", "other", "matched", "of", "frame"]].to_numpy().tolist() == [["clip", "still", 1, 1, 7]]


def test_fingerprints_name_frames_by_their_number_in_the_video(tmp_path):
    count = len(FRAMES)
    for shard, identity in (("s0", 6), ("s1", 7)):
        with frame_writer(tmp_path, shard, codec="jpeg", quality=90) as writer:
            writer.extend(face(identity))
        rows = pd.DataFrame({"clip": f"c{identity}", "frame": np.arange(count) * 2 + 10})
        write_rows(tmp_path, shard, rows, kind="frames")
    clips = pd.DataFrame({"clip": ["c6", "c7"], "shard": ["s0", "s1"], "start": 0, "count": count})
    write_table(tmp_path / "clips.parquet", clips, kind="clips")
    first, second = fingerprints(tmp_path, per_clip=5)
    assert (first.clip, second.clip) == ("c6", "c7")
    assert len(first.frames) == 5
    row = (first.frames[2] - 10) // 2
    assert bits_apart(first.words[2], fingerprint(face(6)[row])) <= 6


PAIR = pd.DataFrame(
    [{"clip": "a", "other": "b", "matched": 9, "of": 12, "distance": 2, "frame": 3, "other_frame": 4}]
)  # fmt: skip


def outcomes(splits, identities, by="identity", **columns):
    """Outcomes for the clips a and b, by their short names."""
    rows = [(clip, split, by) for clip, names in zip("ab", splits, strict=True) for split in names]
    split = pd.DataFrame(rows, columns=["clip", "split", "by"])
    clips = pd.DataFrame({"clip": ["a", "b"], "identity": identities, **columns})
    across, alike = duplicate_outcomes(PAIR, split, clips)
    assert (across.level, alike.level) == ("critical", "warning")
    return across, alike


def test_pictures_in_two_splits_are_critical_and_named_with_both():
    across, alike = outcomes([["train"], ["test"]], ["p", "q"])
    assert not across.passed
    assert across.detail == "a (train) and b (test)"
    assert [(one.clip, one.frame) for one in across.offenders] == [("a", 3), ("b", 4)]
    assert alike.passed


def test_within_a_split_only_two_people_with_one_face_are_worth_a_word():
    across, alike = outcomes([["val"], ["val"]], ["p", "q"])
    assert across.passed
    assert not alike.passed
    assert all(one.passed for one in outcomes([["val"], ["val"]], ["p", "p"]))
    assert all(one.passed for one in outcomes([["val"], ["val"]], ["p", "p~2"], person=["p", "p"]))


def test_clips_cut_by_time_may_resemble_their_own_person_only():
    everywhere = [["train", "val", "test"]] * 2
    assert all(one.passed for one in outcomes(everywhere, ["p", "p"], by="time"))
    assert not outcomes(everywhere, ["p", "q"], by="time")[0].passed
