"""Validation: good data passes, each fault is found and named, and nothing passes for being empty."""

import base64
import html
import re

import cv2
import numpy as np
import pandas as pd
import pytest

from reenact.corpus.checks import Check, run_checks
from reenact.corpus.corpus import Corpus
from reenact.corpus.expectations import quality_checks, split_outcomes
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.rights import read_rights, strictness
from reenact.corpus.shards import write_array, write_rows, write_stage
from reenact.corpus.splits import assign_splits, read_parts
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput, ValidationFailed
from reenact.evaluation.data_facts import data_facts
from reenact.evaluation.profile import PROFILE, read_profile
from reenact.faces.actions import ACTION_UNITS
from reenact.stages.validate_data import ValidateDataSettings, validate_data

COUNT = 10
SETTINGS = ValidateDataSettings.parse({"split": {"salt": "1", "val": 0.25, "test": 0.25}}, where="validate_data")


class Fake:
    """A corpus of 16 made-up clips in one shard, to be damaged before it is written."""

    def __init__(self):
        names = [f"p{i:02d}" for i in range(16)]
        rows = COUNT * len(names)
        self.clips = pd.DataFrame(
            {
                "clip": names, "identity": names, "shard": "shard-00000", "start": np.arange(len(names)) * COUNT,
                "count": COUNT, "fps": 25.0, "file": [f"{n}.mp4" for n in names],
                "sha256": [f"{i:064x}" for i in range(len(names))], "width": 320, "height": 240,
                "frames_read": COUNT, "frames_lost": 0, "licence": "own", "consent": "given", "source": "made up",
                "official_split": "",
            }
        )  # fmt: skip
        self.frames = pd.DataFrame(
            {
                "clip": np.repeat(names, COUNT), "frame": np.tile(np.arange(COUNT), len(names)),
                "time": np.tile(np.arange(COUNT) / 25, len(names)), "crop_x": 10.0, "crop_y": 10.0, "crop_side": 200.0,
                "box_x0": 0.2, "box_y0": 0.2, "box_x1": 0.8, "box_y1": 0.8, "score": 1.0,
            }
        )  # fmt: skip
        noise = np.random.default_rng(0).integers(0, 256, (len(names), 8, 8, 3), dtype=np.uint8)
        self.pictures = np.repeat(np.stack([cv2.resize(one, (48, 48)) for one in noise]), COUNT, axis=0)
        self.landmarks = np.full((rows, 68, 2), 0.5, np.float32)
        self.found = np.ones(rows, bool)
        values = {name: np.full(rows, 1.0, np.float32) for name in (*ACTION_UNITS, "pitch", "yaw", "roll")}
        self.actions = pd.DataFrame({**values, "fit_error": np.full(rows, 0.05, np.float32)})
        self.valid = None  # only backends other than the fit write it

    def write(self, root):
        folders = {name: root / name for name in ("videos", "frames", "landmarks", "actions")}
        write_table(folders["videos"] / "clips.parquet", self.clips[["clip", "file", "consent"]], kind="videos")
        write_table(folders["frames"] / "clips.parquet", self.clips, kind="clips")
        write_rows(folders["frames"], "shard-00000", self.frames, kind="frames")
        write_array(folders["frames"], "shard-00000", "frames", self.pictures)
        write_array(folders["landmarks"], "shard-00000", "landmarks", self.landmarks)
        write_array(folders["landmarks"], "shard-00000", "found", self.found)
        write_rows(folders["actions"], "shard-00000", self.actions, kind="actions")
        if self.valid is not None:
            write_array(folders["actions"], "shard-00000", "valid", self.valid)
        for name, folder in folders.items():
            write_stage(folder, kind=name)
        return {**folders, "out": root / "validated", "settings": SETTINGS}


def checks_of(out):
    return read_table(out / "checks.parquet", kind="checks")


def test_good_data_passes_every_check_and_is_split(tmp_path):
    arguments = Fake().write(tmp_path)
    result = validate_data(**arguments)
    assert checks_of(arguments["out"])["passed"].all()
    assert result.counts["warnings"] == 0
    people = {name: {p.identity for p in read_parts(arguments["out"], name)} for name in ("train", "val", "test")}
    assert sum(map(len, people.values())) == len(set.union(*people.values())) == 16
    page = (arguments["out"] / "validation.html").read_text()
    assert "no critical check failed" in page
    assert "http" not in page
    profile = read_profile(arguments["out"] / PROFILE)
    assert (profile.stored, profile.frames, profile.clips, len(profile.people)) == (16 * COUNT, 16 * COUNT, 16, 16)
    assert set(profile.counts) == {
        "found", "fit_error", *ACTION_UNITS, "pitch", "yaw", "roll", "nod", "turn", "tilt",
    }  # fmt: skip


def damage_actions(fake):
    fake.actions.loc[25, "AU12"] = 7.0


def damage_missing(fake):
    fake.actions.loc[33, "yaw"] = np.nan


def damage_finite(fake):
    fake.landmarks[47, 3, 0] = np.nan


def damage_identity(fake):
    fake.clips.loc[5, "identity"] = " "


def damage_double(fake):
    fake.frames.loc[61, "frame"] = 0


def damage_count(fake):
    fake.clips.loc[7, "count"] = 9


def damage_found(fake):
    fake.found[:100] = False


def damage_valid(fake):
    fake.valid = np.arange(len(fake.found)) >= 100


@pytest.mark.parametrize(
    ("damage", "check", "named"),
    [
        (damage_actions, "AU12: 0 to 5", "p02/5"),
        (damage_missing, "yaw: present", "p03/3"),
        (damage_finite, "landmarks: finite", "p04/7"),
        (damage_identity, "identity: not blank", "p05"),
        (damage_double, "clip, frame: each once", "p06/0"),
        (damage_count, "count: equals the frames stored", "p07"),
        (damage_found, "landmarks found in 50% of all frames", "p00/0"),
        (damage_valid, "action units valid in 50% of all frames", "p00/0"),
    ],
)
def test_a_critical_fault_stops_the_run_and_names_the_row(tmp_path, capsys, damage, check, named):
    fake = Fake()
    damage(fake)
    arguments = fake.write(tmp_path)
    with pytest.raises(ValidationFailed, match="critical"):
        validate_data(**arguments)
    failed = checks_of(arguments["out"]).query("not passed and level == 'critical'")
    assert failed["check"].tolist() == [check]
    assert named in failed["detail"].iloc[0]
    printed = capsys.readouterr().err
    assert check in printed
    assert named in printed
    assert not (arguments["out"] / "stage.json").exists()


def test_a_doubtful_corpus_is_warned_about_and_goes_on(tmp_path, capsys):
    fake = Fake()
    fake.actions["fit_error"] = 0.3
    fake.clips["licence"] = "unknown"
    arguments = fake.write(tmp_path)
    result = validate_data(**arguments)
    assert result.counts["warnings"] == 2
    assert "fit_error: 0.15" in capsys.readouterr().err


def test_only_clips_that_are_not_used_count_as_set_aside(tmp_path):
    fake = Fake()
    arguments = fake.write(tmp_path)
    rows = [(f"bad{n}", "no face") for n in range(5)] + [("p00", "two faces"), ("bad0", "said twice")]
    table = pd.DataFrame([{"clip": clip, "file": clip, "stage": "s", "reason": reason} for clip, reason in rows])
    write_table(arguments["frames"] / "quarantine.parquet", table, kind="quarantine")
    validate_data(**arguments)
    checks = checks_of(arguments["out"])
    row = checks[checks["table"] == "quarantine"].iloc[0]
    assert (row["observed"], row["passed"]) == ("5 of 21", False)
    assert "bad0" in row["detail"]
    assert "p00" not in row["detail"]


def test_labels_nobody_asked_for_may_be_absent(tmp_path):
    fake = Fake()
    fake.actions = fake.actions[["pitch", "yaw", "roll"]]
    arguments = fake.write(tmp_path)
    validate_data(**arguments)
    assert not checks_of(arguments["out"])["check"].str.startswith("AU").any()


def test_reports_say_how_good_labels_are_whether_or_not_the_data_was_validated(tmp_path):
    arguments = Fake().write(tmp_path)
    corpus = Corpus(arguments["frames"], landmarks=arguments["landmarks"], actions=arguments["actions"])
    by_hand = data_facts(corpus, tmp_path / "nothing")["label_quality"]
    assert [record["value"] for record in by_hand] == ["100.0%", "0.050", "0.050", "none"]
    validate_data(**arguments)
    assert data_facts(corpus, arguments["out"])["label_quality"] == by_hand
    page = (arguments["out"] / "validation.html").read_text()
    assert "errors can&#x27;t be measured" in page or "errors can't be measured" in page


def test_a_split_that_would_be_empty_is_a_critical_failure_with_advice(tmp_path):
    fake = Fake()
    fake.clips["official_split"] = "test"
    arguments = fake.write(tmp_path)
    with pytest.raises(ValidationFailed, match="train and val split is empty"):
        validate_data(**arguments)


def test_a_leak_between_splits_is_found():
    clips = Fake().clips
    split = assign_splits(clips, val=0.25, test=0.25, salt="1")
    leaking = pd.concat([split, split.iloc[[0]].assign(split="other")])
    by_name = {outcome.check: outcome for outcome in split_outcomes(leaking, clips)}
    assert not by_name["every identity is in one split"].passed
    assert "p00" in by_name["every identity is in one split"].detail
    assert not by_name["parts of a clip don't overlap"].passed
    assert all(outcome.passed for outcome in split_outcomes(split, clips))


def test_an_identity_with_two_official_splits_stops_the_run(tmp_path):
    fake = Fake()
    fake.clips["official_split"] = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    fake.clips.loc[15, "identity"] = "p00"
    arguments = fake.write(tmp_path)
    with pytest.raises(ValidationFailed, match="p00"):
        validate_data(**arguments)


def test_an_empty_table_and_a_missing_column_pass_nothing():
    check = Check(level="critical", says="x", expectation="ExpectColumnValuesToNotBeNull", arguments={"column": "x"})
    assert not run_checks("t", pd.DataFrame({"x": []}), [check], ids=["x"])[0].passed
    outcome = run_checks("t", pd.DataFrame({"y": [1]}), [check], ids=["y"])[0]
    assert not outcome.passed
    assert outcome.observed == "could not run"


def test_rights_are_counted_the_strictest_first_and_said_in_words(tmp_path):
    fake = Fake()
    fake.clips.loc[:9, "licence"] = "CC0-1.0"
    fake.clips.loc[10:12, "licence"] = "VoxCeleb terms: non-commercial research"
    fake.clips.loc[13, "licence"] = ""
    arguments = fake.write(tmp_path)
    people = fake.clips.assign(contact=["ana@example.org"] * 12 + [""] * 4)
    write_table(arguments["videos"] / "clips.parquet", people[["clip", "file", "contact"]], kind="videos")
    validate_data(**arguments)
    rights = read_rights(arguments["out"])
    stated = [(entry["text"], entry["clips"], entry["allows"]) for entry in rights["licence"]]
    assert stated == [
        ("not stated", 1, "not stated"),
        ("VoxCeleb terms: non-commercial research", 3, "research only"),
        ("own", 2, "unclear"),
        ("CC0-1.0", 10, "free"),
    ]
    assert rights["contact"] == [
        {"text": "ana@example.org", "clips": 12, "identities": 12},
        {"text": "not stated", "clips": 4, "identities": 4},
    ]
    assert "research only" in rights["says"]
    assert rights["says"] in html.unescape((arguments["out"] / "validation.html").read_text())


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "academic use", "for non commercial use only"])
def test_licences_for_research_are_known_by_their_words(licence):
    assert strictness(licence) == "research only"
    assert [strictness(text) for text in ("", "CC BY 4.0", "CC0-1.0", "see contract")] == [
        "not stated", "attribution", "free", "unclear",
    ]  # fmt: skip


def test_required_rights_that_are_missing_stop_the_run_and_name_the_clips(tmp_path):
    fake = Fake()
    fake.clips.loc[3, "licence"] = "unknown"
    fake.clips.loc[4, "consent"] = "unknown"
    arguments = fake.write(tmp_path)
    required = ValidateDataSettings.parse(
        {**SETTINGS.plain(), "require_rights": ["licence", "consent", "contact"]}, where="validate_data"
    )
    with pytest.raises(ValidationFailed, match="3 critical"):
        validate_data(**{**arguments, "settings": required})
    failed = checks_of(arguments["out"]).query("not passed").set_index("check")
    assert failed.loc["licence: known", "detail"].startswith("p03")
    assert failed.loc["consent: known", "detail"].startswith("p04")
    assert failed.loc["contact: known", "observed"] == "16 of 16 differ"


@pytest.mark.parametrize("consent", ["withdrawn 2025-03-01", "no", "False"])  # `consent: no` in source.yaml is False
def test_consent_that_is_not_given_stops_the_run_whatever_is_required(tmp_path, consent):
    fake = Fake()
    fake.clips.loc[6, "consent"] = consent
    with pytest.raises(ValidationFailed, match="p06"):
        validate_data(**fake.write(tmp_path))


def test_frames_of_other_videos_or_of_an_older_consent_are_refused(tmp_path):
    arguments = Fake().write(tmp_path)
    table = read_table(arguments["videos"] / "clips.parquet", kind="videos")
    name = str(table["clip"].iloc[3])
    for changed in (
        table.drop(index=3),
        table.assign(consent=table["consent"].where(table["clip"] != name, "withdrawn")),
    ):
        write_table(arguments["videos"] / "clips.parquet", changed, kind="videos")
        with pytest.raises(BadInput, match=rf"made of other videos .*\({name}\).*Run extract_frames"):
            validate_data(**arguments)


def test_the_page_shows_the_worst_frames_of_a_failed_check(tmp_path):
    fake = Fake()
    fake.actions.loc[fake.frames["clip"] == "p03", "AU12"] = 6.0
    fake.actions.loc[25, "AU12"] = 9.5  # p02, frame 5
    fake.clips.loc[8, "licence"] = ""
    arguments = fake.write(tmp_path)
    with pytest.raises(ValidationFailed):
        validate_data(**arguments)
    page = (arguments["out"] / "validation.html").read_text()
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert captions[:2] == ["p02<br>frame 5<br>AU12 9.5", "p03<br>frame 0<br>AU12 6"]
    assert len(captions) == 11 + 1  # ten of p03, one of p02, and the clip without a licence
    assert captions[-1].startswith("p08<br>frame 5")
    first = cv2.imdecode(np.frombuffer(base64.b64decode(re.findall(r"base64,([^\"]+)", page)[0]), np.uint8), 1)
    small = cv2.resize(first, (48, 48), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert np.abs(small.astype(int) - fake.pictures[25]).mean() < 12
    assert len(page) < 3_000_000


def test_copies_in_two_splits_stop_the_run_and_are_shown_side_by_side(tmp_path):
    fake = Fake()
    parts = assign_splits(fake.clips, val=0.25, test=0.25, salt="1").set_index("clip")["split"]
    trained, tested = (int(parts.index.get_loc(parts[parts == name].index[0])) for name in ("train", "test"))
    rows = slice(tested * COUNT, (tested + 1) * COUNT)
    fake.pictures[rows] = fake.pictures[trained * COUNT : (trained + 1) * COUNT, :, ::-1]
    arguments = fake.write(tmp_path)
    with pytest.raises(ValidationFailed, match="near-duplicates"):
        validate_data(**arguments)
    named = {f"p{trained:02d}", f"p{tested:02d}"}
    row = checks_of(arguments["out"]).query("not passed").iloc[0]
    assert all(name in row["detail"] for name in named)
    page = (arguments["out"] / "validation.html").read_text()
    assert {caption.split("<br>")[0] for caption in re.findall(r"<figcaption>(.*?)</figcaption>", page)} == named


def test_limits_on_quality_are_kept_by_a_share_of_the_frames():
    frames = Fake().frames.assign(blur=0.3, yaw=-50.0, score=np.nan)
    frames.loc[:19, "blur"] = 0.9  # one frame in eight
    limits = FrameLimits(max_blur=0.6, max_yaw=60.0, max_occlusion=0.5, min_score=0.0)

    def failed(share, limits=limits):
        checks = quality_checks(frames.columns, limits, share, "warning")
        outcomes = run_checks("quality", frames, checks, ids=("clip", "frame"))
        assert not any("occlusion" in outcome.check for outcome in outcomes)  # no such column was measured
        return {outcome.check: outcome for outcome in outcomes if not outcome.passed}

    assert failed(0.8) == {}
    blurred = failed(0.9, FrameLimits(max_blur=0.6, max_yaw=40.0))
    assert set(blurred) == {"blur: 0.6 or less in 90%", "yaw: -40 to 40 in 90%"}
    offenders = blurred["blur: 0.6 or less in 90%"].offenders
    assert [one.clip for one in offenders] == ["p00", "p01"] * 6
    assert all(one.value == "blur 0.9" for one in offenders)


def test_an_identity_of_two_tracks_is_one_person_for_the_split():
    clips = Fake().clips.assign(person=lambda table: table["identity"])
    clips.loc[1, "person"] = "p00"
    split = assign_splits(clips.drop(columns="person"), val=0.25, test=0.25, salt="1")
    split.loc[:1, "split"] = ["train", "test"]
    by_name = {outcome.check: outcome for outcome in split_outcomes(split, clips)}
    assert by_name["every identity is in one split"].passed
    assert by_name["every person is in one split"].detail == "p00 (train and test)"
