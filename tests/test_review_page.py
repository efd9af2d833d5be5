"""The page of a version under review: what is on it, what is missing said, nothing fetched; its core within MLflow."""

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.shards import write_stage
from reenact.corpus.tables import write_table
from reenact.errors import BadInput, StorageError
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.evaluation.summary import summarise
from reenact.review.against import lines_of
from reenact.review.attach import PAGE_TAG, attach, fetch_page
from reenact.review.card import model_card
from reenact.review.description import LIMIT, Block, describe, fitted, markdown
from reenact.review.missing import missing
from reenact.review.page import write_page
from reenact.review.subject import Review, read_side, read_status
from reenact.review.verdict import Rule, Verdict, write_verdict
from reenact.tracking.connect import TrackingSettings, connect
from test_report import Outline, section_of, some_samples

# MLflow's database is made once.
pytestmark = pytest.mark.xdist_group("review_page")

PEOPLE = [f"person{k}" for k in range(10)]
PAIRS = [f"p{k}" for k in range(10)]
NASTY = "<script>alert(1)</script> | ![x](http://example.org/x.png)"
TAGS = {
    "branch": "cgan-full-0", "system": "cgan", "variant": "full", "seed": "0", "shots": "1", "reenact.key": "k" * 64,
    "weights_sha256": "a" * 64, "trainer": "<b>eve</b>", "lineage.git_commit": "abc123", "lineage.data_hash": "d" * 64,
    "lineage.params_hash": "e" * 64, "lineage.rights": "Licence of the clips: CC-BY-4.0 (3 of 3 clips). Consent: given "
    "(3).",
}  # fmt: skip
STATUS = {
    "status": "trained", "steps": 1000, "samples": 8000, "training_seconds": 5400.0, "ended_by": "samples",
    "runtime": {"device": "cpu", "threads": 1}, "notes": ["train.share 0.5: 4 of 8 training identities."],
}  # fmt: skip
JUDGE_ERROR = {
    "judge": "fake", "metrics": ["ed"], "measured": None,
    "here": {"frames": 64, "found": 0.97, "landmarks": 0.032, "pose": {"pitch": 2.0, "yaw": 1.5, "roll": 0.5},
             "actions_mean": 0.41, "same_person": 0.987},
}  # fmt: skip
ALARM = {"name": "identity_collapse", "verdict": "warning", "value": 0.15, "limit": 0.2, "split": "test",
         "protocol": "self", "meaning": "share of the way from source to target"}  # fmt: skip
RULES = [
    {"name": "ed on self", "kind": "metric", "ok": True, "wanted": "not worse by more than 0.3", "metric": "ed",
     "protocol": "self", "challenger": 1.45, "champion": 1.95, "difference": -0.5, "low": -0.6, "high": -0.4,
     "p": 0.004, "better": True, "sentence": "ED is better by 0.5"},
    {"name": "identity_collapse on self", "kind": "alarm", "ok": False, "wanted": "identity collapse is no alarm",
     "metric": "identity_collapse", "protocol": "self", "challenger": 0.04, "champion": None, "difference": None,
     "low": None, "high": None, "p": None, "better": None, "sentence": f"the system copies its source {NASTY}"},
]  # fmt: skip
VERDICT = Verdict(
    challenger="challenger (version 7)", champion="champion (version 3)", judge="fake", pairs_sha256="c" * 64,
    rules=tuple(Rule(**rule) for rule in RULES),
)  # fmt: skip


def scores(better):
    """ED of ten pairs by ten people: on self pairs lower by `better`, on cross pairs as often higher as lower."""
    lines = []
    for protocol in ("self", "cross"):
        for k, pair in enumerate(PAIRS):
            driver = PEOPLE[k] if protocol == "self" else PEOPLE[(k + 3) % 10]
            where = {"pair": f"{protocol}-{pair}", "split": "test", "protocol": protocol, "identities": "unseen",
                     "source_identity": PEOPLE[k], "driving_identity": driver, "drawn": True}  # fmt: skip
            found = pair != "p9"
            value = 2.0 + 0.01 * k + (-better if protocol == "self" else better * (-1) ** k)
            lines += [
                {**where, "row": "cgan-full-0", "face_found": found, "ed": value if found else np.nan},
                {**where, "row": COPY_SOURCE, "face_found": True, "ed": 3.0},
            ]
    faces = pd.DataFrame(lines)
    return faces.assign(**{m.id: np.nan for m in METRICS.values() if m.per_pair and m.id not in faces})


def fid_of(value):
    """Of whole sets: told apart by the persons that are left out in turn."""
    left_out = {person: value + 0.001 * k for k, person in enumerate(PEOPLE)}
    return {"split": "test", "identities": "unseen", "protocol": "self", "row": "cgan-full-0", "metric": "fid",
            "value": value, "low": value - 1, "high": value + 1, "n": 10, "people": 10, "pairs": 10, "not_drawn": 0,
            "no_face": 1, "own_judge": False, "left_out": left_out, "versus_copy": None}  # fmt: skip


def evaluation_in(folder, *, better, fid, size=64):
    """An evaluation on disk, as `evaluate` leaves it."""
    faces = scores(better)
    record = {
        "format": 1, "status": "trained", "reason": "", "branch": "cgan-full-0", "image_size": size, "shots": 1,
        "model": {"size": size, "shots": 1, "exact_sources": False, "features": None, "sha256": "a" * 64,
                  "chosen": {"step": 900, "value": 0.1, "rule": {"metric": "l1"}}},
        "alarms": [ALARM], "judge": {"name": "fake", "size": 256}, "pairs_sha256": {"test": "c" * 64},
        "range": "pixels 0..1, 8 bits", "notes": [f"one training {NASTY}"], "judge_error": [JUDGE_ERROR],
        "agreement": None, "results": [*summarise(faces, repeats=50, seed=0), fid_of(fid)],
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(record))
    write_table(folder / "faces.parquet", faces, kind="scores")
    write_table(folder / "samples.parquet", some_samples(size), kind="samples")
    cost = {"seconds_per_picture": 0.0123, "batch": 32, "device": "cpu", "threads": 1,
            "parameters": {"generator": 2_500_000}}  # fmt: skip
    (folder / "cost.json").write_text(json.dumps(cost))
    split = [{"clip": f"c{k}", "identity": f"c{k}", "split": part, "start": 0, "stop": 9, "by": "identity"}
             for k, part in enumerate(["train"] * 5 + ["val"] * 2 + ["test"] * 3)]  # fmt: skip
    quality = [{"label": "landmarks", "value": "0.031", "meaning": "mean distance to the truth"}]
    checks = [{"table": "clips", "check": "consent: known", "level": "warning", "passed": True, "observed": "all",
               "detail": ""}]  # fmt: skip
    (folder / "data.json").write_text(json.dumps({"label_quality": quality, "split": split, "checks": checks}))
    write_stage(folder, kind="evaluation", branch="cgan-full-0", status="trained")


def side(folder, role, version, **facts):
    given = {"tags": TAGS, "run_id": f"run{version}", "status": STATUS, **facts}
    return read_side(folder, role=role, version=version, **given)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("review")
    evaluation_in(root / "challenger", better=0.5, fid=40.0)
    evaluation_in(root / "champion", better=0.0, fid=50.0)
    return root


@pytest.fixture(scope="module")
def review(folders):
    return Review(
        model="reenact", challenger=side(folders / "challenger", "challenger", "7"),
        champion=side(folders / "champion", "champion", "3"), verdict=VERDICT, repeats=50,
    )  # fmt: skip


@pytest.fixture(scope="module")
def text(review, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "review.html"
    write_page(path, review)
    return path.read_text()


def page_of(review, folder):
    write_page(folder / "review.html", review)
    return (folder / "review.html").read_text()


def test_it_is_one_well_formed_file_that_fetches_nothing(text):
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.pictures > 0
    assert all(link.startswith("data:image/") for link in outline.links)
    assert "<script" not in text
    assert "url(" not in text


def test_what_comes_from_outside_is_escaped(text):
    assert "&lt;script&gt;alert(1)" in section_of(text, "Verdict of the gate")
    assert "&lt;script&gt;alert(1)" in section_of(text, "Notes")
    assert "&lt;b&gt;eve&lt;/b&gt;" in section_of(text, "Lineage")
    assert "<b>eve" not in text


def test_the_verdict_lists_every_rule_broken_ones_first_with_numbers(text):
    assert "gate failed" in text.split("<section>")[0]
    verdict = section_of(text, "Verdict of the gate")
    assert verdict.index("identity_collapse on self") < verdict.index("ed on self")
    assert (verdict.count(">broken<"), verdict.count(">kept<")) == (1, 1)
    rule = next(line for line in verdict.split("<tr") if "ed on self" in line)
    for number in ("1.45", "1.95", "-0.5", "-0.600 to -0.400", "0.004", "not worse by more than 0.3"):
        assert number in rule


def test_figures_stand_beside_the_champions_with_what_the_test_says(review, text):
    found = {(line.metric.id, line.protocol): line for line in lines_of(review)}
    assert set(found) == {("ed", "self"), ("ed", "cross"), ("fid", "self")}
    own = found["ed", "self"]
    assert own.challenger["value"] == pytest.approx(np.mean([1.5 + 0.01 * k for k in range(9)]))
    assert own.champion["value"] == pytest.approx(np.mean([2.0 + 0.01 * k for k in range(9)]))
    assert own.difference["value"] == pytest.approx(-0.5)
    assert own.references[COPY_SOURCE]["value"] == 3.0
    assert own.difference["p"] == pytest.approx(2 / 2**9)  # nine persons' signs, all alike
    assert (own.word, found["fid", "self"].word) == ("better", "better")
    assert found["fid", "self"].difference["value"] == pytest.approx(-10)
    assert found["ed", "cross"].word == "not told apart"
    table = section_of(text, "Against the champion")
    assert table.count("<tr") == 1 + 3
    assert "1/10<br>1/10" in table  # pictures without a face


def test_what_is_worse_is_called_worse(review):
    turned = replace(review, challenger=review.champion, champion=review.challenger)
    words = {(line.metric.id, line.protocol): line.word for line in lines_of(turned)}
    assert words == {("ed", "self"): "worse", ("fid", "self"): "worse", ("ed", "cross"): "not told apart"}


def test_a_champion_of_another_picture_size_is_shown_and_not_subtracted(tmp_path, review):
    evaluation_in(tmp_path / "champion", better=0.0, fid=50.0, size=32)
    other = replace(review, champion=side(tmp_path / "champion", "champion", "3"))
    assert {line.word for line in lines_of(other)} == {"not tested"}
    text = page_of(other, tmp_path)
    assert "64 px and 32 px" in section_of(text, "Not known")
    lines = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section_of(text, "The same held-out faces"))
    assert [line.count('class="face fake"') for line in lines] == [2] * 6
    # Source and both models, each beside a truth of its own size; cross pairs have none.
    assert [line.count("where it differs") for line in lines] == [3, 3, 3, 0, 0, 0]


def test_both_models_draw_the_same_faces_side_by_side(text):
    lines = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section_of(text, "The same held-out faces"))
    assert len(lines) == 3 * 2  # persons on self and on cross pairs
    for line in lines:
        assert line.count('class="face fake"') == 2
        assert line.index("drawn by challenger (version 7)") < line.index("drawn by champion (version 3)")


def test_worst_cases_are_each_models_own_by_the_metrics_of_the_verdict(tmp_path, folders, review):
    # Of the stored samples only p0 to p3 have pictures: the worst of these nine is made to be p2.
    faces = review.challenger.entry.faces.copy()
    worst = (faces["pair"] == "self-p2") & (faces["row"] == review.challenger.name)
    faces.loc[worst, "ed"] = 9.75
    changed = replace(review.challenger, entry=replace(review.challenger.entry, faces=faces))
    cases = section_of(page_of(replace(review, challenger=changed), tmp_path), "Worst cases")
    assert "<h3>ED, self</h3>" in cases
    assert "ED 9.75" in cases
    assert "challenger (version 7), worst: generated, a synthetic face" in cases


def test_alarms_labels_split_judges_cost_lineage_and_rights_are_there(text):
    assert "share of the way" in section_of(text, "Alarms")
    assert "0.031" in section_of(text, "Label quality")
    assert "identities" in section_of(text, "Data checks and split")
    assert "0.987" in section_of(text, "How well the judges measure")
    cost = section_of(text, "Cost")
    assert cost.count("12.3") == 2
    assert cost.count("1.50") == 2  # hours
    lineage = section_of(text, "Lineage")
    for value in ("abc123", "d" * 64, "run7", "run3"):
        assert value in lineage
    use = section_of(text, "Licences and use")
    assert "CC-BY-4.0" in use
    assert "research only" in use
    assert "Nothing is missing" in section_of(text, "Not known")


def test_the_card_says_what_it_is_for_and_not_for_and_how_it_was_made(review):
    parts = {part.title: " ".join(part.lines) for part in model_card(review)}
    assert "cgan-full-0" in parts["What it is"]
    assert "people who agreed" in parts["For"]
    assert "did not agree" in parts["Not for"]
    assert "Consent: given" in parts["Data, licence and consent"]
    assert "5 to train, 2 to choose, 3 to test" in parts["Data, licence and consent"]
    assert "8000 samples in 1000 steps, 1.50 hours on cpu" in parts["Training"]
    assert "step 900" in parts["Training"]
    assert "in 2 of its pictures the judge finds no face" in parts["Limits"]
    assert "landmarks 3.2%" in parts["How well the judge measures"]
    assert "other data" not in parts["Limits"]
    elsewhere = replace(review.champion, tags={**TAGS, "lineage.data_hash": "f" * 64})
    limits = {part.title: part.lines for part in model_card(replace(review, champion=elsewhere))}["Limits"]
    assert any("other data" in line for line in limits)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("samples.parquet", "pictures, so none are shown"),
        ("cost.json", "what drawing costs"),
        ("data.json", "label quality"),
    ],
)
def test_a_file_that_is_missing_is_named_and_the_rest_is_there(tmp_path, review, gone, said):
    evaluation_in(tmp_path / "challenger", better=0.5, fid=40.0)
    (tmp_path / "challenger" / gone).unlink()
    lacking = replace(review, challenger=side(tmp_path / "challenger", "challenger", "7"))
    text = page_of(lacking, tmp_path)
    unknown = section_of(text, "Not known")
    assert said in unknown
    assert unknown.count("<li>") == 1
    assert "champion (version 3)" not in unknown
    assert "ed on self" in text
    assert said in describe(lacking, page="p")


def test_whatever_is_not_recorded_is_said(tmp_path, folders):
    bare = side(folders / "challenger", "challenger", "7", tags={}, run_id="", status={})
    record = {name: value for name, value in bare.entry.record.items() if name not in ("alarms", "judge_error")}
    alone = Review(model="reenact", challenger=replace(bare, entry=replace(bare.entry, record=record)), repeats=50)
    found = " ".join(missing(alone))
    for said in ("verdict", "champion", "licence and consent", "git commit", "who trained it", "alarms",
                 "how far the judges are off", "how it was trained"):  # fmt: skip
        assert said in found
    text = page_of(alone, tmp_path)
    assert "gate not asked" in text
    assert "There is no champion." in section_of(text, "Against the champion")
    assert "not recorded" in section_of(text, "Lineage")
    assert "not recorded" in section_of(text, "Licences and use")
    told = describe(alone, page="p")
    assert "Gate: not asked" in told
    assert "None was asked" in told


def test_a_champion_that_could_not_be_scored_is_not_called_none(tmp_path, review):
    lost = replace(review, champion=None)
    assert any("no figures of the champion (version 3)" in gap for gap in missing(lost))
    text = page_of(lost, tmp_path)
    assert "champion (version 3), which could not be scored" in text.split("<section>")[0]
    assert "There are no figures of the champion (version 3)." in section_of(text, "Against the champion")


def test_an_evaluation_without_figures_is_no_side_of_a_review(tmp_path):
    with pytest.raises(BadInput, match=r"challenger \(version 7\)"):
        side(tmp_path / "nowhere", "challenger", "7")


def test_the_description_begins_with_what_decides_and_names_the_page(review):
    told = describe(review, page="artifact review/x/review.html of the run run7")
    assert told.startswith("# Review of version 7\n")
    assert "review/x/review.html" in told
    assert "## Gate: FAILED (against champion (version 3))" in told
    assert told.index("**broken**") < told.index("- kept: ED is better by 0.5")
    assert "synthetic" in told
    assert "Consent: given" in told
    assert len(told) <= LIMIT


def test_nothing_in_the_description_is_markup_from_outside(review):
    told = describe(review, page="p")
    assert "<script" not in told
    assert not re.search(r"(?<!\\)\]\(", told)
    assert "://" not in told
    assert markdown("a|b\n# c_d www.x.org") == r"a\|b \# c\_d www&#46;x.org"


def test_the_description_fits_mlflow_however_much_there_is_to_say(review):
    rules = tuple(replace(VERDICT.rules[k % 2], sentence=f"{k} " + "long words " * 90) for k in range(60))
    tags = {**TAGS, "lineage.rights": "licence " * 150}
    much = replace(review, verdict=replace(VERDICT, rules=rules), challenger=replace(review.challenger, tags=tags))
    for before in ("", "mine", "somebody's own words " * 400):
        told = describe(much, page="p", before=before)
        assert len(told) <= LIMIT
        assert "more on the page" in told
        assert "**broken**: 1 long words" in told
        assert told.startswith(before[:900].strip() or "# Review of version 7")


def test_lines_that_find_no_room_are_counted():
    blocks = [Block(title=f"T{k}", lines=[f"- {k}.{n} " + "x" * 40 for n in range(5)], most=4) for k in range(4)]
    for limit in range(250, 1400, 50):
        told = fitted(blocks, limit)
        assert len(told) <= limit
        shown = len(re.findall(r"- \d\.\d x{40}\n?", told))
        lost = sum(int(count) for count in re.findall(r"- (\d+) more on the page", told))
        assert shown + lost == 4 * 5
        assert [f"## T{k}" in told for k in range(4)] == [True] * 4


def test_what_somebody_wrote_stays_above_the_newest_review(review):
    first = describe(review, page="one", before="Made for the trial of March.\n\n## Review of version control\n\nfine")
    second = describe(review, page="two", before=first)
    assert second.startswith("Made for the trial of March.\n\n## Review of version control\n\nfine")
    assert second.count("# Review of version 7") == 1
    assert "page: two" in second
    assert "page: one" not in second


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        settings = TrackingSettings(uri=f"sqlite:///{home}/mlflow/mlflow.db", artifacts=f"{home}/mlflow/artifacts")
        yield connect(settings)[0]


def registered(client, name, *, run=True):
    """A model of this name with one version, and the id of its run."""
    client.create_registered_model(name)
    experiment = client.get_experiment_by_name("reenact").experiment_id
    made = client.create_run(experiment).info
    client.create_model_version(name, f"{made.artifact_uri}/model", made.run_id if run else None, description="mine")
    return made.run_id


@pytest.fixture
def written(review, tmp_path):
    def write(name, champion=review.champion):
        challenger = replace(review.challenger, version="1")
        about = replace(review, model=name, challenger=challenger, champion=champion)
        write_page(tmp_path / "review.html", about)
        write_verdict(tmp_path / "verdict.json", VERDICT, {})
        return about, tmp_path / "review.html", [tmp_path / "verdict.json"]

    return write


def test_an_attached_page_comes_back_and_the_description_is_its_core(client, written, tmp_path):
    run = registered(client, "attached")
    review, page, files = written("attached")
    place = attach(client, review, page, files=files)
    found = client.get_model_version("attached", "1")
    assert found.tags[PAGE_TAG] == place
    assert found.description.startswith("mine\n\n# Review of version 1")
    assert len(found.description) <= LIMIT
    listed = {item.path for item in client.list_artifacts(run, place.rpartition("/")[0])}
    assert {path.rpartition("/")[2] for path in listed} == {"review.html", "verdict.json"}
    assert fetch_page(client, "attached", "1", tmp_path / "got.html").read_bytes() == page.read_bytes()
    assert attach(client, review, page, files=files) == place
    assert client.get_model_version("attached", "1").description == found.description


def test_an_upload_that_is_cut_short_leaves_the_earlier_page(client, written, tmp_path, monkeypatch):
    registered(client, "short")
    review, page, _ = written("short")
    attach(client, review, page)
    before, kept = client.get_model_version("short", "1"), page.read_bytes()
    other, page, _ = written("short", champion=None)
    whole = client.log_artifact

    def short(run_id, path, folder):
        (tmp_path / "cut").mkdir()
        (tmp_path / "cut" / "review.html").write_text("<html>")
        whole(run_id, str(tmp_path / "cut" / "review.html"), folder)

    monkeypatch.setattr(client, "log_artifact", short)
    with pytest.raises(StorageError, match="6 of"):
        attach(client, other, page)
    after = client.get_model_version("short", "1")
    assert (after.tags, after.description) == (before.tags, before.description)
    assert fetch_page(client, "short", "1", tmp_path / "got.html").read_bytes() == kept


def test_a_page_that_was_changed_or_never_made_is_not_shown(client, written, tmp_path):
    run = registered(client, "changed")
    with pytest.raises(BadInput, match="nobody attached a page"):
        fetch_page(client, "changed", "1", tmp_path / "got.html")
    review, page, _ = written("changed")
    place = attach(client, review, page)
    page.write_text("<html>all is well</html>")
    client.log_artifact(run, str(page), place.rpartition("/")[0])
    with pytest.raises(BadInput, match="changed since"):
        fetch_page(client, "changed", "1", tmp_path / "got.html")
    (Path(url2pathname(urlparse(client.get_run(run).info.artifact_uri).path)) / place).unlink()
    with pytest.raises(BadInput, match="is gone from its run"):
        fetch_page(client, "changed", "1", tmp_path / "got.html")
    assert not (tmp_path / "got.html").exists()


def test_a_version_or_run_that_is_not_there_is_said(client, written):
    review, page, _ = written("nobody")
    with pytest.raises(StorageError, match="nobody, version 1"):
        attach(client, review, page)
    registered(client, "runless", run=False)
    review, page, _ = written("runless")
    with pytest.raises(BadInput, match="no run"):
        attach(client, review, page)


def test_a_trainings_record_is_read_from_its_run_or_not_known(client, tmp_path):
    run = registered(client, "record")
    assert read_status(client, run) == {}
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    client.log_artifact(run, str(tmp_path / "status.json"), "train")
    assert read_status(client, run) == STATUS
    assert read_status(client, "0" * 32) == {}
    assert read_status(client, "") == {}
