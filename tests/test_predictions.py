"""Another method's pictures: found by name, read as what they are, scored like a branch; what is wrong is said."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from reenact.cli.evaluate import _named_after, _row, evaluate
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import read_stage
from reenact.corpus.tables import read_table
from reenact.errors import BadInput, SettingsError
from reenact.evaluation.notes import ONE_IDENTITY, ONE_JUDGED, _alone
from reenact.evaluation.pair_files import write_pairs
from reenact.evaluation.picture_files import Refused, Taken, as_rgb, read_picture
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.prediction_files import match_files, video_name
from reenact.evaluation.predictions import Predictions, notes_of
from reenact.evaluation.rows import reenacted
from reenact.stages.evaluate import EvaluateSettings, PairSettings
from reenact.stages.predictions import Request, export, score_predictions
from test_protocols import Mover, scored_branch

NAME = "cgan-full-0"
COUNTS = PairSettings(sources=1, self_pairs=2, cross_pairs=2, lsim=1)
SETTINGS = EvaluateSettings(val=COUNTS, test=COUNTS, bootstrap=50, samples=2, judge_size=64, cache="")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A corpus and a scored branch: the folder below which both lie. The judge is the tests' own while it is in use."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        scored_branch(root, patch, NAME)
        for folder in (root / "corpus").iterdir():
            shutil.move(folder, root / folder.name)
        yield root


@pytest.fixture(scope="module")
def pairs(project):
    return read_table(project / "branches" / NAME / "evaluate" / "pairs.parquet", kind="pairs")


@pytest.fixture(scope="module")
def few(project, pairs):
    """A list of the test split's self pairs alone, as a file: statistics of all protocols take most of the time."""
    chosen = pairs[(pairs["protocol"] == "self") & (pairs["split"] == "test")]
    write_pairs(project / "few.parquet", chosen, seed=0)
    return project / "few.parquet"


@pytest.fixture(scope="module")
def drawn(project, pairs):
    """What the branch drew, by pair."""
    corpus = Corpus(project / "frames", landmarks=project / "landmarks", actions=project / "actions")
    pictures = reenacted(Mover(), Pictures(corpus, size=32), batch=8, device="cpu")(pairs).pictures
    return dict(zip(pairs["pair"], pictures, strict=True))


@pytest.fixture
def folder(tmp_path, drawn):
    """The branch's pictures as another method would hand them in."""
    target = tmp_path / "theirs"
    target.mkdir()
    for pair, picture in drawn.items():
        save(target / f"{pair}.png", picture)
    return target


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[2 if picture.ndim == 2 else picture.shape[2]]
    assert cv2.imwrite(str(path), picture if order is None else cv2.cvtColor(picture, order))


def scored(project, source, out, *, pairs=None, resize=False, size=32):
    request = Request(root=project, settings=SETTINGS, runtime=Runtime(threads=1), pairs=pairs, size=size)
    result = score_predictions(request, source=source, name="warp", out=out, resize=resize)
    return json.loads((out / "metrics.json").read_text()), result


def figures(record, row):
    keys = ("split", "identities", "protocol", "metric")
    return {tuple(r[k] for k in keys): (r["value"], r["low"], r["n"]) for r in record["results"] if r["row"] == row}


def test_a_branchs_own_pictures_score_as_the_branch(project, folder, tmp_path):
    record, result = scored(project, folder, tmp_path / "scores", size=None)
    ours = json.loads((project / "branches" / NAME / "evaluate" / "metrics.json").read_text())
    assert figures(record, "warp") == figures(ours, NAME)
    assert record["pairs_sha256"] == ours["pairs_sha256"]
    assert record["image_size"] == ours["image_size"] == 32
    assert record["predictions"]["troubles"] == {}
    assert result.counts["not_drawn"] == 0
    assert not any("missing" in note or "red and blue" in note for note in record["notes"])
    assert any("nothing is known" in note for note in record["notes"])


def test_order_and_folders_of_the_files_do_not_matter(project, folder, pairs, few, tmp_path):
    flat, _ = scored(project, folder, tmp_path / "flat", pairs=few)
    for pair, protocol in zip(pairs["pair"], pairs["protocol"], strict=True):
        (folder / protocol).mkdir(exist_ok=True)
        (folder / f"{pair}.png").rename(folder / protocol / f"{pair}.png")
    nested, _ = scored(project, folder, tmp_path / "nested", pairs=few)
    assert figures(flat, "warp") == figures(nested, "warp")
    assert flat["model"]["sha256"] == nested["model"]["sha256"]


def test_everything_that_is_wrong_is_counted_and_named_and_in_no_figure(project, folder, few, drawn, tmp_path):
    names = list(read_table(few, kind="pairs")["pair"])
    for other in set(drawn) - set(names):
        (folder / f"{other}.png").unlink()
    (folder / f"{names[0]}.png").unlink()
    (folder / f"{names[1]}.png").write_bytes(b"no picture")
    save(folder / f"{names[2]}.png", cv2.resize(drawn[names[2]], (48, 48)))
    save(folder / "z" / f"{names[3]}.png", drawn[names[3]])
    (folder / f"{names[4]}.png").unlink()
    np.save(folder / f"{names[4]}.npy", np.full((32, 32, 3), np.nan))
    save(folder / "stranger.png", drawn[names[0]])
    record, result = scored(project, folder, tmp_path / "scores", pairs=few)
    counts = {name: found["count"] for name, found in record["predictions"]["troubles"].items()}
    assert counts == {
        "missing": 1, "unreadable": 1, "another size": 1, "several files": 1, "not finite": 1, "extra files": 1,
    }  # fmt: skip
    own = figures(record, "warp")["test", "unseen", "self", "mse"]
    assert own[2] == len(names) - 5
    full = figures(json.loads((project / "branches" / NAME / "evaluate" / "metrics.json").read_text()), NAME)
    assert own[0] != full["test", "unseen", "self", "mse"][0]  # its own pairs' mean, not one with zeros in it
    faces = read_table(tmp_path / "scores" / "faces.parquet", kind="scores")
    lost = faces[(faces["row"] == "warp") & ~faces["drawn"]]
    assert set(lost["pair"]) == set(names[:5])
    assert lost["mse"].isna().all()
    assert "not_finite" not in {alarm["name"] for alarm in record["alarms"]}  # nobody trained here
    said = "\n".join(result.notes)
    assert f"there is no such file ({names[0]})" in said
    assert f"{names[2]} (48x48)" in said
    assert f"({names[3]}: {names[3]}.png, z/{names[3]}.png)" in said
    assert "1 files belong to no pair and were left aside (stranger.png)" in said
    assert "pictures that are missing or not finite stand in no figure: 5 of test self" in said


def test_another_size_is_taken_only_when_that_is_asked_for(project, folder, drawn, few, tmp_path):
    for pair, picture in drawn.items():
        save(folder / f"{pair}.png", cv2.resize(picture, (64, 64), interpolation=cv2.INTER_NEAREST))
    with pytest.raises(BadInput, match=r"another size \(64x64\).*32x32 are expected; --resize"):
        scored(project, folder, tmp_path / "refused", pairs=few)
    record, _ = scored(project, folder, tmp_path / "taken", pairs=few, resize=True)
    assert record["predictions"]["changes"] == {"resized": len(read_table(few, kind="pairs"))}
    assert any("pictures were changed before scoring (resized:" in note for note in record["notes"])
    larger, _ = scored(project, folder, tmp_path / "larger", pairs=few, size=64)
    assert larger["image_size"] == 64
    assert larger["predictions"]["changes"] == {}


def test_exchanged_channels_are_suspected_with_figures_and_right_ones_are_not(project, few, tmp_path):
    pairs = read_table(few, kind="pairs")
    corpus = Corpus(project / "frames", landmarks=project / "landmarks", actions=project / "actions")
    tinted = np.array([1.0, 0.8, 0.6])
    real = {pair: corpus.image(corpus.by_name[clip], int(frame)) for pair, clip, frame in
            zip(pairs["pair"], pairs["source_clip"], pairs["source_frame"], strict=True)}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:  # the drawn heads are grey, which has no order
        image = Corpus.image
        patch.setattr(Corpus, "image", lambda *a: (image(*a) * tinted).astype(np.uint8))
        for name, order in (("right", 1), ("wrong", -1)):
            for pair, picture in real.items():
                save(tmp_path / name / f"{pair}.png", (picture * tinted).astype(np.uint8)[..., ::order])
        notes = {
            name: scored(project, tmp_path / name, tmp_path / f"{name}-out", pairs=few)[1].notes
            for name in ("right", "wrong")
        }
    assert not any("exchanged" in note for note in notes["right"])
    assert any("warp: red and blue look exchanged" in note and "0.000 with red as blue" in note
               for note in notes["wrong"])  # fmt: skip


def test_a_folder_where_nothing_fits_says_which_names_would(project, pairs, tmp_path):
    save(tmp_path / "odd" / "0001.png", np.zeros((32, 32, 3), dtype=np.uint8))
    with pytest.raises(
        BadInput, match=rf"such as 0001.png, and none is named after a pair.*{pairs['pair'].iloc[0]}.png"
    ):
        scored(project, tmp_path / "odd", tmp_path / "scores")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no pictures or videos"):
        match_files(tmp_path / "empty", pairs)
    with pytest.raises(BadInput, match="there is no such folder or video"):
        match_files(tmp_path / "gone", pairs)


def write_video(path, pictures):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 64))
    for picture in pictures:
        writer.write(cv2.cvtColor(cv2.resize(picture, (64, 64)), cv2.COLOR_RGB2BGR))
    writer.release()


def test_videos_hold_the_pictures_in_the_lists_order(pairs, drawn, tmp_path):
    own = pairs[pairs["protocol"] == "self"]
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "self.avi", [drawn[pair] for pair in own["pair"]])
    given = Predictions(tmp_path / "videos", pairs, size=64, resize=False)
    read = given.row(pairs)
    assert read.usable.tolist() == (pairs["protocol"] == "self").tolist()
    for pair, picture in zip(own["pair"], read.pictures[read.usable], strict=True):
        away = {
            other: np.abs(picture - cv2.resize(drawn[other], (64, 64)).astype(float)).mean() for other in own["pair"]
        }
        assert away[pair] == min(away.values())
    assert any("whose compression counts" in note for note in notes_of("warp", given.record()))
    write_video(tmp_path / "all.avi", list(drawn.values())[:-1])
    with pytest.raises(BadInput, match=f"has {len(drawn) - 1} frames, but there are {len(drawn)} pairs"):
        match_files(tmp_path / "all.avi", pairs)


def test_a_stretch_of_video_is_named_by_its_source_and_driver(tmp_path):
    table = pd.DataFrame(
        {"pair": ["a", "b", "c"], "protocol": "selfvideo", "sequence": ["x by y/1", "x by y/1", "z by z"]}
    )
    write_video(tmp_path / "x_by_y_1.avi", [np.zeros((64, 64, 3), np.uint8)] * 2)
    found = match_files(tmp_path, table)
    assert {pair: place.frame for pair, place in found.places.items()} == {"a": 0, "b": 1}
    assert video_name("z by z") == "z_by_z"
    table.loc[2, "sequence"] = "x by y:1"
    with pytest.raises(BadInput, match="x_by_y_1: two stretches"):
        match_files(tmp_path, table)


WHITE = np.full((8, 8, 3), 255)


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        (WHITE.astype(np.uint8), ()),
        ((WHITE * 257).astype(np.uint16), ("16 bits to 8",)),
        (WHITE[..., 0].astype(np.uint8), ("grey to RGB",)),
        (np.full((8, 8, 4), 255, np.uint8), ("opaque alpha dropped",)),
        (np.ones((8, 8, 3), np.float32), ("floats to 8 bits",)),
        (np.ones((8, 8, 1)), ("floats to 8 bits", "grey to RGB")),
    ],
)  # fmt: skip
def test_white_is_white_in_every_kind_of_file(values, changes):
    taken = as_rgb(values, size=8, resize=False)
    assert isinstance(taken, Taken)
    assert taken.picture.shape == (8, 8, 3)
    assert (taken.picture == 255).all()
    assert taken.changes == changes


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((8, 8, 4), 128, np.uint8), "transparent"),
        (np.full((8, 8, 3), np.inf), "not finite"),
        (np.full((8, 8, 3), -0.5), "values out of range"),
        (np.zeros((8, 6, 3), np.uint8), "another size"),
        (np.zeros((8, 8, 2), np.uint8), "unreadable"),
        (np.zeros((8, 8, 3), np.int64), "unreadable"),
    ],
)
def test_what_has_no_one_meaning_is_refused(values, reason):
    refused = as_rgb(values, size=8, resize=True)
    assert isinstance(refused, Refused)
    assert refused.reason == ("another size" if values.shape[0] != values.shape[1] else reason)


def test_one_that_is_stopped_while_it_writes_leaves_no_parts_of_two_evaluations(
    project, folder, few, tmp_path, monkeypatch
):
    scored(project, folder, tmp_path / "scores", pairs=few)
    assert read_stage(tmp_path / "scores", kind="evaluation")["branch"] == "warp"

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("reenact.evaluation.writing.write_pairs", stopped)
    with pytest.raises(KeyboardInterrupt):
        scored(project, folder, tmp_path / "scores", pairs=few)
    with pytest.raises(BadInput, match="no finished evaluation here"):
        read_stage(tmp_path / "scores", kind="evaluation")


@pytest.mark.parametrize("name", ["a.npy", "a.png"])
def test_an_empty_file_is_refused_like_any_that_cannot_be_read(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    assert read_picture(tmp_path / name, size=8, resize=False) == Refused("unreadable")


def test_files_keep_their_channel_order(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0], picture[..., 2] = 200, 30
    for file in (tmp_path / "a.png", tmp_path / "a.webp"):
        save(file, picture)
    cv2.imwrite(str(tmp_path / "b.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA))
    cv2.imwrite(str(tmp_path / "c.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)
    np.save(tmp_path / "d.npy", picture)
    for file in sorted(tmp_path.iterdir()):
        taken = read_picture(file, size=8, resize=False)
        assert isinstance(taken, Taken), file
        np.testing.assert_allclose(taken.picture[4, 4], [200, 0, 30], atol=3, err_msg=file.name)


def test_the_export_holds_what_a_method_needs_and_its_names_are_the_expected_ones(project, pairs, few, tmp_path):
    counts = export(
        Request(root=project, settings=SETTINGS, runtime=Runtime(threads=1)), out=tmp_path / "export"
    ).counts
    listed = pd.read_csv(tmp_path / "export" / "pairs.csv", keep_default_na=False)
    assert listed["pair"].tolist() == pairs["pair"].tolist()
    labels = pd.read_csv(tmp_path / "export" / "labels.csv").set_index("picture")
    assert set(labels.index) == set(listed["source"]) | set(listed["driving"])
    assert counts == {"pairs": len(pairs), "pictures": len(labels)}
    corpus = Corpus(project / "frames", landmarks=project / "landmarks", actions=project / "actions")
    for line, pair in zip(listed.itertuples(), pairs.itertuples(), strict=True):
        picture = cv2.cvtColor(cv2.imread(str(tmp_path / "export" / line.driving)), cv2.COLOR_BGR2RGB)
        clip = corpus.by_name[pair.driving_clip]
        np.testing.assert_array_equal(picture, corpus.image(clip, pair.driving_frame))
        x = labels.loc[line.driving, "x_5"]
        assert x == pytest.approx(corpus.landmarks(clip)[pair.driving_frame][5, 0] * 32, abs=1e-3)
    assert f"{pairs['pair'].iloc[0]}.png" in (tmp_path / "export" / "README.md").read_text()
    for pair, source in zip(listed["pair"], listed["source"], strict=True):  # a method that hands back the source
        (tmp_path / "copied").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "export" / source, tmp_path / "copied" / f"{pair}.png")
    record, _ = scored(project, tmp_path / "copied", tmp_path / "scores", pairs=few)
    ours, copied = figures(record, "warp"), figures(record, "copy source")
    assert ours["test", "unseen", "self", "mse"] == copied["test", "unseen", "self", "mse"]


def test_without_a_scored_branch_the_list_is_drawn_as_its_own_would_be(project, pairs, tmp_path):
    for name in ("frames", "landmarks", "actions", "validated"):
        (tmp_path / name).symlink_to(project / name)
    export(Request(root=tmp_path, settings=SETTINGS, runtime=Runtime(threads=1)), out=tmp_path / "export")
    assert pd.read_csv(tmp_path / "export" / "pairs.csv")["pair"].tolist() == pairs["pair"].tolist()


def test_the_command_takes_one_of_three():
    with pytest.raises(SettingsError, match="give one of --branch NAME, --predictions FOLDER and --export FOLDER"):
        evaluate(branch="cgan-full-0", predictions="x")


def test_a_row_is_named_after_its_whole_folder_and_never_like_another_row(tmp_path, monkeypatch):
    (tmp_path / "warp.v2").mkdir()
    (tmp_path / "warp.mp4").touch()
    assert _named_after(tmp_path / "warp.v2") == "warp.v2"
    assert _named_after(tmp_path / "warp.mp4") == "warp"
    monkeypatch.chdir(tmp_path / "warp.v2")
    assert _named_after(Path()) == "warp.v2"
    assert [_row(name) for name in ("warp.v2", "Größe 1+2_b-c")] == ["warp.v2", "Größe 1+2_b-c"]
    with pytest.raises(SettingsError, match="a row of every table"):
        _row("copy source")
    for name in ("", ".", "a/b", "a|b", "..", "cgan-full-0 (retargeted landmarks)", "a\nb", "a "):
        with pytest.raises(SettingsError, match="letters, digits"):
            _row(name)


def figure(metric, people):
    return {"split": "test", "protocol": "self", "row": "warp", "metric": metric, "n": 3, "people": people}


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([figure("mse", 2), figure("ed", 2)], {}),
        ([figure("mse", 1), figure("ed", 1)], {ONE_IDENTITY: ["test self"]}),
        ([figure("mse", 2), figure("ed", 1)], {ONE_JUDGED: ["test self"]}),
    ],
)
def test_few_people_and_few_found_faces_are_told_apart(results, said):
    assert _alone("warp", results) == said
