"""Single pictures through the whole of it: pairs within a person, checks, and a CelebA-like tree from end to end."""

import json
from contextlib import nullcontext

import cv2
import numpy as np
import pandas as pd
import pytest

import evaluation_corpus
from reenact.corpus.corpus import Corpus
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.keep import PassedOver
from reenact.corpus.sampling import Sampler
from reenact.corpus.splits import assign_splits, read_parts
from reenact.corpus.stills import ONE_EACH, still_notes
from reenact.corpus.tables import read_table, write_table
from reenact.corpus.usable import usable_frames
from reenact.errors import BadInput
from reenact.evaluation.protocols import Counts, pair_list
from reenact.rendering.clips import invent_scene
from reenact.rendering.scene import Stage
from reenact.stages.evaluate import EvaluateSettings, PairSettings, evaluate
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.fetch_data import FetchDataSettings, fetch_data
from reenact.stages.label_actions import LabelActionsSettings, label_actions
from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks
from reenact.stages.validate_data import ValidateDataSettings, validate_data
from reenact.systems.branch import Branch
from reenact.tracking import runs
from reenact.tracking.connect import TrackingSettings
from reenact.training.tracker import NullTracker
from test_validation import Fake, checks_of
from training_corpus import landmarks_of, picture, write_corpus
from training_drill import KINDS, RUNTIME, make_guide, train_branch

COUNTS = Counts(sources=2, self_pairs=3, cross_pairs=3, lsim=2)


def as_stills(folders, people):
    """Every frame of the first `people` identities becomes a picture of its own; the others stay clips."""
    clips = read_table(folders["frames"] / "clips.parquet", kind="clips")
    split = read_table(folders["validated"] / "split.parquet", kind="split").set_index("clip")
    rows, parts = [], []
    for row in clips.to_dict("records"):
        still = int(row["identity"].rpartition("-")[2]) < people
        names = [f"{row['clip']}-{n}" for n in range(row["count"])] if still else [row["clip"]]
        for place, name in enumerate(names):
            count = 1 if still else row["count"]
            rows.append({**row, "clip": name, "start": row["start"] + place, "count": count,
                         "kind": "still" if still else "video"})  # fmt: skip
            parts.append({**split.loc[row["clip"]], "clip": name, "start": 0, "stop": count})
    shapes = read_table(folders["actions"] / "shapes.parquet", kind="shapes").set_index("clip")
    owners = [name if name in shapes.index else name.rpartition("-")[0] for name in (row["clip"] for row in rows)]
    shapes = shapes.loc[owners].reset_index(drop=True).assign(clip=[row["clip"] for row in rows])
    write_table(folders["actions"] / "shapes.parquet", shapes, kind="shapes")
    write_table(folders["frames"] / "clips.parquet", pd.DataFrame(rows), kind="clips")
    write_table(folders["validated"] / "split.parquet", pd.DataFrame(parts), kind="split")
    return Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])


def test_pictures_of_one_person_are_drawn_together_and_videos_stay_as_they_are(tmp_path):
    folders = write_corpus(tmp_path, lost=((0, 3),))
    corpus = as_stills(folders, 2)
    sampler = Sampler(
        corpus, read_parts(folders["validated"], "train"), size=32, seed=0, sources=3, third=True, flip=False
    )
    assert sampler.identities == ["person-0", "person-1", "person-2"]
    assert len(sampler) == 11 + 12 + 12
    seen = set()
    for number in range(200):
        draw = sampler.draw(number)
        pictures = [*draw.sources, draw.target, draw.third]
        assert len(set(pictures)) == 5
        assert len({clip.identity for clip, _ in pictures}) == 1
        assert len({clip.clip for clip, _ in pictures}) == (1 if draw.identity == "person-2" else 5)
        seen |= {clip.clip for clip, _ in pictures}
    assert seen == {f"clip-{i}-{n}" for i in range(2) for n in range(12)} - {"clip-0-3"} | {"clip-2"}
    number = next(n for n in range(100) if sampler.draw(n).identity == "person-1")
    draw, batch = sampler.draw(number), sampler.batch([number])
    frames = [int(clip.clip.rpartition("-")[2]) for clip, _ in (*draw.sources, draw.target)]
    for image, points, frame in zip(
        [*batch.sources.image[0], batch.target.image[0]],
        [*batch.sources.landmarks[0], batch.target.landmarks[0]], frames, strict=True,
    ):  # fmt: skip
        shown = ((image.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        assert np.array_equal(shown, picture(1, frame, 32))
        assert np.array_equal(points.numpy(), landmarks_of(1, frame))


def test_pictures_of_other_people_drive_cross_pairs(tmp_path):
    folders = write_corpus(tmp_path, frames=3)
    corpus = as_stills(folders, 4)
    sampler = Sampler(corpus, read_parts(folders["validated"], "train"), size=16, seed=0, sources=2, pairs="cross")
    for draw in map(sampler.draw, range(100)):
        assert {clip.identity for clip, _ in draw.sources} == {draw.identity}
        assert draw.target.clip.identity != draw.identity


def test_one_picture_per_person_makes_no_pair_and_says_what_can_be_done(tmp_path):
    folders = write_corpus(tmp_path, frames=1)
    corpus = as_stills(folders, 4)
    parts = read_parts(folders["validated"], "train")
    with pytest.raises(BadInput, match="one picture per person: no pairs") as error:
        Sampler(corpus, parts, size=16, seed=0)
    assert "train the guide" in str(error.value)
    guide, _ = usable_frames(corpus, parts)
    assert [one.clip.clip for part in guide for one in part] == ["clip-0-0", "clip-1-0", "clip-2-0"]
    crossed = Sampler(corpus, parts, size=16, seed=0, pairs="cross")
    assert len({crossed.draw(number).target for number in range(50)}) == 3
    pairs = pair_list(corpus, parts, split="train", training=(), counts=COUNTS, seed=0)
    assert set(pairs["protocol"]) == {"cross"}
    assert (pairs["source_identity"] != pairs["driving_identity"]).all()


def test_people_with_too_few_pictures_are_left_out_with_a_sentence(tmp_path):
    folders = write_corpus(tmp_path, frames=3, lost=((0, 0), (0, 1)))
    corpus = as_stills(folders, 4)
    sampler = Sampler(corpus, read_parts(folders["validated"], "train"), size=16, seed=0)
    assert sampler.identities == ["person-1", "person-2"]
    (note,) = sampler.notes
    assert note.startswith("1 of 3 people with single pictures have fewer than 2 with landmarks")
    assert note.endswith("they are left out.")
    with pytest.raises(BadInput, match="nobody of 3 people has 4 single pictures"):
        Sampler(corpus, read_parts(folders["validated"], "train"), size=16, seed=0, sources=3)


def test_self_pairs_are_other_pictures_of_the_same_person(tmp_path):
    folders = evaluation_corpus.write_corpus(tmp_path, frames=4)
    corpus = as_stills(folders, 99)
    parts, training = (read_parts(folders["validated"], split) for split in ("test", "train"))
    pairs = pair_list(corpus, parts, split="test", training=training, counts=COUNTS, seed=0)
    own = pairs[pairs["protocol"] == "self"]
    assert len(own) == 4 * 2  # two sources and two others of each person's four
    assert (own["source_identity"] == own["driving_identity"]).all()
    assert (own["source_clip"] != own["driving_clip"]).all()
    assert (own["driving_clip"] == own["truth_clip"]).all()
    assert set(pairs["protocol"]) == {"self", "cross", "lsim"}
    assert (pairs["identities"] == "unseen").all()


def stills(pictures):
    """The made-up corpus with that many different pictures of each person in the place of their clip."""
    fake = Fake()
    rows = np.flatnonzero(fake.frames["frame"] < pictures)
    owner = fake.frames["clip"].to_numpy()[rows]
    names = [f"{clip}-{frame}" for clip, frame in zip(owner, fake.frames["frame"].to_numpy()[rows], strict=True)]
    fake.frames = fake.frames.iloc[rows].assign(clip=names, frame=0, time=0.0)
    noise = np.random.default_rng(1).integers(0, 256, (len(rows), 8, 8, 3), dtype=np.uint8)
    fake.pictures = np.stack([cv2.resize(one, (48, 48)) for one in noise])
    fake.landmarks, fake.found = fake.landmarks[rows], fake.found[rows]
    fake.actions = fake.actions.iloc[rows]
    fake.clips = fake.clips.set_index("clip").loc[owner].reset_index(drop=True).assign(
        clip=names, start=np.arange(len(rows)), count=1, frames_read=1, kind="still", file="stills/00.zip",
        member=[f"{name}.png" for name in names], sha256=[f"{n:064x}" for n in range(len(rows))],
    )  # fmt: skip
    return fake


def test_pictures_pass_the_checks_and_what_a_pair_is_of_is_said(tmp_path):
    arguments = stills(3).write(tmp_path)
    result = validate_data(**arguments)
    assert checks_of(arguments["out"])["passed"].all()
    assert result.notes == (
        "48 single pictures of 16 people: a pair is two pictures of one person, not two moments of one video",
    )
    people = {name: {part.identity for part in read_parts(arguments["out"], name)} for name in ("train", "val", "test")}
    assert sum(map(len, people.values())) == 16


def test_one_picture_each_is_a_warning_and_a_sentence(tmp_path, capsys):
    fake = stills(1)
    arguments = fake.write(tmp_path)
    assert validate_data(**arguments).notes == (ONE_EACH,)
    row = checks_of(arguments["out"]).query("not passed").iloc[0]
    assert (row["level"], row["observed"]) == ("warning", "16 of 16")
    assert "two pictures or more of each person" in capsys.readouterr().err
    assert list(still_notes(Fake().clips)) == []


def test_few_people_with_single_pictures_are_not_cut_by_time():
    clips = stills(3).clips.query("identity < 'p04'")
    split = assign_splits(clips, val=0.3, test=0.3, salt="1")
    assert set(split["by"]) == {"identity"}
    assert set(split["split"]) == {"train", "val", "test"}


def test_limits_have_to_leave_two_pictures_of_somebody_in_each_split():
    clips = pd.DataFrame({"clip": list("abcd"), "identity": ["x", "x", "y", "y"], "kind": "still"})
    frames = pd.DataFrame({"clip": list("abcd"), "found": True, "blur": [0.1, 0.2, 0.1, 0.9]})
    split = pd.DataFrame({"clip": list("abcd"), "split": ["train", "train", "val", "val"], "start": 0, "stop": 1})

    def failed(limit, clips=clips):
        passed = PassedOver(FrameLimits(max_blur=limit), clips, split)
        for rows in (frames[:1], frames[1:]):
            passed.add(rows)
        return [outcome.detail for outcome in passed.outcomes() if not outcome.passed]

    assert failed(0.95) == []
    assert failed(0.5) == ["val"]
    assert failed(0.5, clips.assign(identity=list("wxyz"))) == []  # one picture each: one has to stay


def celeba(root):
    """Three drawn pictures of each of seven people in CelebA's tree."""
    identities, partition = [], []
    for person in range(7):
        for number in range(3):
            scene = invent_scene(
                seed=5, identity=person, clip=number, frames=1, fps=25.0, size=176, yaw=10.0, honest=True
            )
            drawn, _ = Stage(scene.person, scene.surroundings, scene.motion, scene.size).draw(scene.motion, 0)
            name = f"{3 * person + number + 1:06d}.jpg"
            path = root / "img_align_celeba" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            identities.append(f"{name} {person + 1}\n")
            partition.append(f"{name} {(0, 0, 0, 1, 1, 2, 2)[person]}\n")
    (root / "identity_CelebA.txt").write_text("".join(identities))
    (root / "list_eval_partition.txt").write_text("".join(partition))


@pytest.mark.slow
def test_a_tree_of_pictures_from_end_to_end(tmp_path, monkeypatch):
    """fetch, extract, label, validate, guide, train, evaluate: a person's pictures are a clip to all of them."""
    celeba(tmp_path / "data")
    at = {name: tmp_path / name for name in ("videos", "frames", "landmarks", "actions", "validated")}
    fetch_data(videos=tmp_path / "data", out=at["videos"], settings=FetchDataSettings(cache=str(tmp_path / "cache")))
    extract_frames(videos=at["videos"], out=at["frames"], settings=ExtractFramesSettings(size=64), runtime=RUNTIME)
    label_landmarks(videos=at["videos"], frames=at["frames"], out=at["landmarks"], settings=LabelLandmarksSettings(),
                    runtime=RUNTIME)  # fmt: skip
    label_actions(frames=at["frames"], landmarks=at["landmarks"], out=at["actions"], settings=LabelActionsSettings(),
                  runtime=RUNTIME)  # fmt: skip
    result = validate_data(**{name: at[name] for name in ("videos", "frames", "landmarks", "actions")},
                           out=at["validated"], settings=ValidateDataSettings())  # fmt: skip
    assert any("single pictures of 7 people" in note for note in result.notes)
    clips = read_table(at["frames"] / "clips.parquet", kind="clips")
    assert len(clips) >= 19
    assert set(clips["count"]) == {1}
    assert set(read_table(at["validated"] / "split.parquet", kind="split")["by"]) == {"official"}

    make_guide(tmp_path)
    trained, out = tmp_path / "trained", tmp_path / "evaluated"
    train_branch(tmp_path, str(tmp_path / "checkpoints"), trained, "cgan-full-0", samples=12, validate_every=3)
    assert json.loads((trained / "status.json").read_text())["status"] == "trained"
    monkeypatch.setattr(runs, "branch_run", lambda *_, **__: nullcontext(NullTracker()))
    counts = PairSettings(sources=1, self_pairs=2, cross_pairs=1, lsim=1)
    result = evaluate(
        **{name: at[name] for name in KINDS}, guide=tmp_path / "guide", model=trained, out=out,
        branch=Branch.parse("cgan-full-0"), runtime=RUNTIME, tracking=TrackingSettings(),
        settings=EvaluateSettings(val=counts, test=counts, judge_size=128, bootstrap=10, samples=1),
    )  # fmt: skip
    pairs = read_table(out / "pairs.parquet", kind="pairs").query("protocol == 'self'")
    assert len(pairs)
    assert (pairs["source_clip"] != pairs["driving_clip"]).all()
    assert any("two pictures of one person" in note for note in json.loads((out / "metrics.json").read_text())["notes"])
