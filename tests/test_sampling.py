import itertools

import numpy as np
import pytest
import torch

from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import Sampler, flip_label, ready, resized
from reenact.corpus.shards import read_array, write_array, write_stage
from reenact.corpus.splits import Part, read_parts
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput
from reenact.faces.landmarks import FLIP
from training_corpus import landmarks_of, picture, write_corpus


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), lost=((0, 3), (1, 0)))


@pytest.fixture
def corpus(folders):
    return Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])


@pytest.fixture
def train(folders):
    return read_parts(folders["validated"], "train")


def same(one, other):
    return all(
        torch.equal(getattr(one, role).image, getattr(other, role).image)
        and torch.equal(getattr(one, role).landmarks, getattr(other, role).landmarks)
        for role in ("sources", "target")
    )


def test_a_sample_is_a_function_of_seed_and_number(corpus, train):
    one = Sampler(corpus, train, size=16, seed=5, third=True)
    other = Sampler(corpus, train, size=16, seed=5, third=True)
    late = other.batch([907])
    for number in range(50):
        other.draw(number)
    assert same(one.batch([907]), late)
    assert [one.draw(n) for n in range(40)] == [other.draw(n) for n in reversed(range(40))][::-1]
    third = Sampler(corpus, train, size=16, seed=6, third=True)
    assert [one.draw(n) for n in range(40)] != [third.draw(n) for n in range(40)]


def test_neighbouring_samples_are_not_shifted_copies(corpus, train):
    sampler = Sampler(corpus, train, size=16, seed=0, third=True)
    draws = [
        (d.target.clip.clip, d.sources[0].frame, d.target.frame, d.third.frame) for d in map(sampler.draw, range(3000))
    ]
    assert len(set(draws)) > 1850  # of 3,300 ordered triplets: about 1,970 by chance
    repeats = sum(a[1] == b[2] or a[2] == b[1] for a, b in itertools.pairwise(draws))
    assert repeats < 3000 * 0.25  # by chance 2/12


def test_batches_of_any_size_hold_the_same_samples(corpus, train):
    sampler = Sampler(corpus, train, size=16, seed=1)
    whole = sampler.batch(range(8))
    halves = [sampler.batch(range(4)), sampler.batch(range(4, 8))]
    assert torch.equal(whole.target.image, torch.cat([half.target.image for half in halves]))


def test_labels_are_the_same_where_no_picture_is_read(corpus, train):
    sampler = Sampler(corpus, train, size=32, seed=3, labels=("landmarks", "actions", "pose"), sources=2)
    whole, bare = sampler.read(range(6)), sampler.read(range(6), pictures=False)
    for a, b in ((whole.sources, bare.sources), (whole.target, bare.target)):
        assert torch.equal(a.landmarks, b.landmarks)
        assert torch.equal(a.actions, b.actions)
        assert torch.equal(a.pose, b.pose)
        assert a.image.numel() > 0
        assert b.image.numel() == 0
    assert ready(bare, "cpu").sources.image.shape == (6, 2, 3, 0, 0)


def test_frames_come_from_one_clip_of_the_split_and_are_distinct_and_found(corpus, train):
    sampler = Sampler(corpus, train, size=16, seed=2, sources=3, third=True)
    drawn = [sampler.draw(n) for n in range(500)]
    assert {draw.identity for draw in drawn} == {"person-0", "person-1", "person-2"}
    for draw in drawn:
        pictures = [*draw.sources, draw.target, draw.third]
        assert len(set(pictures)) == 5
        assert len({clip.clip for clip, _ in pictures}) == 1
        assert not {("clip-0", 3), ("clip-1", 0)} & {(clip.clip, frame) for clip, frame in pictures}


def test_a_part_in_time_is_never_left(corpus):
    part = Part(clip="clip-2", identity="person-2", start=4, stop=9)
    sampler = Sampler(corpus, [part], size=16, seed=0, third=True)
    frames = {p.frame for n in range(200) for d in [sampler.draw(n)] for p in (*d.sources, d.target, d.third)}
    assert frames == set(range(4, 9))


def test_every_frame_is_drawn_about_equally_often(corpus, train):
    sampler = Sampler(corpus, train, size=16, seed=0)
    counts = {}
    for n in range(3400):
        draw = sampler.draw(n)
        counts[draw.target] = counts.get(draw.target, 0) + 1
    assert len(counts) == len(sampler) == 34
    assert min(counts.values()) > 60
    assert max(counts.values()) < 145


def test_pixels_and_landmarks_belong_to_the_frame_drawn(corpus, train):
    sampler = Sampler(corpus, train, size=32, seed=3, flip=False, third=True)
    batch = sampler.batch(range(20))
    for row in range(20):
        draw = sampler.draw(row)
        person = int(draw.target.clip.clip[-1])
        for faces, (_, frame) in zip(
            (batch.source, batch.target, batch.third), (draw.sources[0], draw.target, draw.third), strict=True
        ):
            expected = torch.from_numpy(picture(person, frame, 32)).permute(2, 0, 1) / 127.5 - 1
            assert torch.allclose(faces.image[row], expected, atol=1e-6)
            assert np.array_equal(faces.landmarks[row].numpy(), landmarks_of(person, frame))


def test_a_flip_mirrors_all_frames_of_a_sample_or_none(corpus, train):
    plain = Sampler(corpus, train, size=32, seed=4, flip=False, third=True, labels=("landmarks", "pose", "actions"))
    maybe = Sampler(corpus, train, size=32, seed=4, flip=True, third=True, labels=("landmarks", "pose", "actions"))
    one, other = plain.batch(range(64)), maybe.batch(range(64))
    flipped = 0
    for row in range(64):
        flip = maybe.draw(row).flip
        flipped += flip
        for role in ("source", "target", "third"):
            a, b = getattr(one, role)[row], getattr(other, role)[row]
            assert torch.equal(b.image, a.image.flip(-1) if flip else a.image)
            mirrored = a.landmarks[torch.from_numpy(FLIP)] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
            assert torch.allclose(b.landmarks, mirrored if flip else a.landmarks)
            assert torch.equal(b.pose, a.pose * torch.tensor([1.0, -1.0, -1.0]) if flip else a.pose)
            assert torch.equal(b.actions, a.actions)
    assert 15 < flipped < 49


def test_visibility_flips_with_the_points():
    visibility = np.arange(68, dtype=np.float32)
    assert flip_label("visibility", visibility)[0] == 16.0


def test_shapes_and_ranges_with_several_sources(corpus, train):
    batch = Sampler(corpus, train, size=16, seed=0, sources=3, labels=("actions",)).batch(range(5))
    assert batch.sources.image.shape == (5, 3, 3, 16, 16)
    assert batch.target.actions.shape == (5, 17)
    assert batch.third is None
    assert batch.target.pose is None
    assert batch.target.image.is_contiguous()
    assert batch.sources.image.dtype == torch.float32
    assert -1 <= batch.target.image.min() < batch.target.image.max() <= 1


def test_cross_pairs_have_another_identity_as_driver(corpus, train):
    sampler = Sampler(corpus, train, size=16, seed=0, pairs="cross")
    for draw in map(sampler.draw, range(200)):
        assert draw.identity != draw.target.clip.identity
    batch = sampler.batch(range(30))
    people = [int(sampler.draw(n).target.clip.clip[-1]) for n in range(30)]
    plain = Sampler(corpus, train, size=16, seed=0, pairs="cross", flip=False).batch(range(30))
    assert (plain.target.landmarks[:, 0, 0] * 100).round().int().tolist() == people
    assert [sampler.identities[i] for i in batch.identity] == [sampler.draw(n).identity for n in range(30)]


def test_two_tracks_of_one_video_make_no_cross_pair(tmp_path):
    folders = write_corpus(tmp_path / "tracks")
    table = read_table(folders["frames"] / "clips.parquet", kind="clips")
    table["person"] = ["person-0", "person-0", "person-2", "person-3"]
    write_table(folders["frames"] / "clips.parquet", table, kind="clips")
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"])
    parts = read_parts(folders["validated"], "train")
    for draw in map(Sampler(corpus, parts, size=16, seed=0, pairs="cross").draw, range(100)):
        assert draw.sources[0].clip.person != draw.target.clip.person
    with pytest.raises(BadInput, match="two identities"):
        Sampler(corpus, parts[:2], size=16, seed=0, pairs="cross")


def test_a_clip_too_short_is_left_out_with_a_sentence(corpus, train):
    short = Part(clip="clip-2", identity="person-2", start=0, stop=2)
    sampler = Sampler(corpus, [*train[:2], short], size=16, seed=0, third=True)
    assert sampler.notes == (
        "clip-2: 2 of 2 frames have landmarks, 3 needed (1 source picture, a target and a third frame).",
    )
    with pytest.raises(BadInput, match="none of 1 clips has 3 frames"):
        Sampler(corpus, [short], size=16, seed=0, third=True)


def test_more_sources_than_a_clip_has_frames_is_said_with_both_numbers(corpus, train):
    wanted = r"14 frames with landmarks \(13 source pictures and a target\), the longest has 12"
    with pytest.raises(BadInput, match=wanted):
        Sampler(corpus, train, size=16, seed=0, sources=13)
    # The last is clip-2 whole; the others lost a frame each.
    assert [note[:6] for note in Sampler(corpus, train, size=16, seed=0, sources=11).notes] == ["clip-0", "clip-1"]


def test_clips_are_numbered_alike_whatever_of_them_a_sampler_can_use(corpus, train):
    parts = [Part(clip="clip-1", identity="person-1", start=0, stop=4), train[2], train[0]]
    for sources, known in ((1, {0, 1, 2}), (8, {1, 2})):
        batch = Sampler(corpus, parts, size=16, seed=0, sources=sources, flip=False).batch(range(40))
        shown = (batch.sources.landmarks[:, 0, 0, 0] * 100).round().int().tolist()  # of this corpus: whose clip it is
        assert [(1, 2, 0)[number] for number in batch.clip.tolist()] == shown
        assert set(batch.clip.tolist()) == known


def test_one_identity_can_not_be_crossed(corpus, train):
    with pytest.raises(BadInput, match="two identities"):
        Sampler(corpus, train[:1], size=16, seed=0, pairs="cross")


def test_segments_come_with_their_pictures_mirrored_with_them(corpus, folders, train, tmp_path):
    out = tmp_path / "segments"
    shards = sorted({clip.shard for clip in corpus.clips})
    for number, shard in enumerate(shards):
        count = len(read_array(folders["landmarks"], shard, "found"))
        segments = np.zeros((count, 128, 128), np.uint8)
        segments[:, :, :64] = 1  # face to the left
        segments[:, :10] = number % 3
        write_array(out, shard, "segments", segments)
    write_stage(out, kind="segments", made=True, shards={shard: shard for shard in shards})
    parted = Corpus(folders["frames"], landmarks=folders["landmarks"], segments=out)
    sampler = Sampler(parted, train, size=16, seed=0, labels=("segments",))
    batch, plain = sampler.batch(range(12)), Sampler(corpus, train, size=16, seed=0).batch(range(12))
    assert same(batch, plain)
    segments = batch.sources.segments
    assert segments.shape == (12, 1, 128, 128)
    assert segments.dtype == torch.uint8
    flips = [sampler.draw(number).flip for number in range(12)]
    assert len(set(flips)) == 2
    for one, target, flip in zip(segments[:, 0], batch.target.segments, flips, strict=True):
        face, other = (one[:, 64:], one[:, :64]) if flip else (one[:, :64], one[:, 64:])
        assert (face[10:] == 1).all()
        assert (other[10:] == 0).all()
        assert torch.equal(one, target)  # of the same shard


def test_a_label_that_was_never_made_is_named(corpus, train):
    with pytest.raises(BadInput, match="no segments"):
        Sampler(corpus, train, size=16, seed=0, labels=("segments",))


def test_smaller_pictures_are_means_of_what_they_cover():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    means = image.reshape(16, 2, 16, 2, 3).mean((1, 3))
    assert np.abs(resized(image, 16) - means).max() <= 0.51
    assert resized(image, 64).shape == (64, 64, 3)


def test_jpeg_corpora_are_read_too(tmp_path):
    folders = write_corpus(tmp_path, codec="jpeg")
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"])
    sampler = Sampler(corpus, read_parts(folders["validated"], "train"), size=32, seed=0, flip=False)
    draw = sampler.draw(0)
    expected = (
        torch.from_numpy(picture(int(draw.target.clip.clip[-1]), draw.target.frame, 32)).permute(2, 0, 1) / 127.5 - 1
    )
    assert (sampler.batch([0]).target.image[0] - expected).abs().mean() < 0.1


def test_what_videos_give_is_what_they_always_gave(corpus, train):
    """Resumed trainings and published figures rest on these draws."""
    sampler = Sampler(corpus, train, size=16, seed=5, sources=2, third=True)
    crossed = Sampler(corpus, train, size=16, seed=5, third=True, pairs="cross")
    rows = [
        [*((one.clip.clip, one.frame) for one in (*draw.sources, draw.target, draw.third)), draw.flip]
        for draw in (sampler.draw(0), sampler.draw(2), crossed.draw(0))
    ]
    assert rows == [
        [("clip-0", 0), ("clip-0", 10), ("clip-0", 6), ("clip-0", 11), True],
        [("clip-2", 9), ("clip-2", 3), ("clip-2", 7), ("clip-2", 8), True],
        [("clip-0", 8), ("clip-2", 2), ("clip-0", 0), True],
    ]
