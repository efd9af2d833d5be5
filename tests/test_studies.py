"""A paper's comparison as a file: what it may say, its claims, its tables, and a small one from end to end."""

import json
import os
import re
import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from evaluation_corpus import fake_judge, write_corpus
from reenact.corpus.shards import write_stage
from reenact.errors import SettingsError, StorageError
from reenact.evaluation import judges
from reenact.evaluation.collect import Entry
from reenact.evaluation.significance import set_difference
from reenact.evaluation.statistics import leave_one_out
from reenact.evaluation.summary import summarise
from reenact.steps import run_step
from reenact.studies.caption import Trained, caption
from reenact.studies.claims import Comparison, Told, tell, verdict
from reenact.studies.curves import draw, points
from reenact.studies.done import CORPUS
from reenact.studies.figures import Difference, Figures
from reenact.studies.outlook import outlook
from reenact.studies.reading import chosen_rows, find_study, plan
from reenact.studies.report import make_results, write_results
from reenact.studies.run import run_study
from reenact.studies.settings import Study, split_name
from reenact.studies.side_by_side import each_in_a_process
from reenact.studies.tables import fill, to_csv, to_latex, to_markdown
from reenact.systems.branch import Branch
from reenact.tracking import runs
from reenact.training.tracker import NullTracker
from tiny_project import ROOT
from training_drill import make_guide

PARAMS = ROOT / "params.yaml"
PEOPLE, PAIRS = 8, 4  # pairs of each person
SAID = {
    "title": "Two of a kind",
    "about": "What a source more is worth.",
    "settings": {"train": {"samples": 40}},
    "rows": {
        "one": {"title": "Ours (1)", "system": "cgan", "against": "many"},
        "many": {"title": "Ours (8)", "system": "cgan", "seed": 1,
                 "set": {"evaluate": {"shot_curve": [2, 8], "finetune": ["self"]}}},
        "lost": {"system": "cgan", "set": {"train": {"samples": 20}}},
    },
    "tables": {
        "first": {
            "title": "Table 1",
            "metrics": ["ssim", "csim_truth", "fid"],
            "published": {"source": "A paper", "columns": {"SSIM": "higher", "FID": "lower"}, "differs": ["the data"]},
            "rows": [
                {"row": "one", "published": {"SSIM": 0.61, "FID": 35.5}},
                {"row": "many"},
                {"title": "Theirs (whole data)", "published": {"FID": 46.61}},
                {"row": "lost"},
            ],
        }
    },
    "curves": {
        "shots": {
            "title": "Over sources", "x": "K", "metrics": ["ssim"], "log": True,
            "series": {
                "own rows": {"points": {1: "one", 8: "many"}},
                "one row": {"row": "many", "shots": [2, 8]},
                "fitted": {"points": {8: "many (fine-tuned)"}},
            },
        }
    },
    "claims": [{"says": "More sources help.", "better": "many", "than": ["one"], "metrics": ["ssim", "csim_truth"]}],
}  # fmt: skip


def changed(**changes):
    return Study.parse({**SAID, **changes}, where="mine.yaml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"claim": []}, 'mine.yaml.claim: unknown setting; did you mean "claims"?'),
        ({"claims": [{**SAID["claims"][0], "than": ["onee"]}]}, 'no row onee; did you mean "one"?'),
        ({"rows": {**SAID["rows"], "two": {"system": "cgan", "set": {"render_clips": {}}}}}, "rows differ in systems"),
        ({"rows": {**SAID["rows"], "two/three": {"system": "cgan"}}}, "names are those of files"),
        ({"curves": {"first": SAID["curves"]["shots"]}}, "first is both a table and a curve"),
        ({"tables": {"first": {**SAID["tables"]["first"], "published": None}}}, "no column SSIM"),
        ({"curves": {"c": {**SAID["curves"]["shots"], "series": {"s": {"shots": [1]}}}}}, "a row and its shots"),
        ({"curves": {"c": {**SAID["curves"]["shots"], "series": {"s": {"points": {0: "one"}}}}}}, "each x is above 0"),
        ({"claims": [{**SAID["claims"][0], "needs": 3}]}, "claims.0: needs: 3 is more than there are metrics, 2"),
        ({"claims": [{**SAID["claims"][0], "than": ["many"]}]}, "many can't be better than itself"),
        ({"settings": {"fanout": {"seeds": [1]}}}, "settings.fanout: what is trained is said by the rows"),
        ({"rows": {**SAID["rows"], "two": {"system": "cgan", "against": "two"}}}, "tested against another one"),
        (
            {"rows": {**SAID["rows"], "two": {"system": "cgan", "set": {"systems": {"caingan": {}}}}}},
            "rows.two.set.systems.caingan: means nothing to a row of cgan",
        ),
    ],
)
def test_a_mistake_in_a_study_is_one_sentence_with_its_place(changes, said):
    with pytest.raises(SettingsError) as error:
        changed(**changes)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"rows": {**SAID["rows"], "two": {"system": "cgann"}}},
            'rows.two.system: unknown system cgann; did you mean "cg',
        ),
        (
            {"rows": {**SAID["rows"], "two": {"system": "cgan", "variant": "ful"}}},
            'no variant ful; did you mean "full"?',
        ),
        ({"settings": {"train": {"sample": 1}}}, 'settings: train.sample: unknown setting; did you mean "samples"?'),
        ({"rows": {**SAID["rows"], "two": {"system": "cgan", "set": {"train": {"x": 1}}}}}, "rows.two.set: train.x"),
        ({"claims": [{**SAID["claims"][0], "metrics": ["sim"]}]}, 'claims.0.metrics: there is no metric "sim"'),
        ({"claims": [{**SAID["claims"][0], "metrics": ["lsim"]}]}, "lsim makes no sense for self"),
        (
            {"claims": [{**SAID["claims"][0], "better": "many (4 shots)"}]},
            "claims.0: many (4 shots): evaluate.shot_curve of row many has no 4.",
        ),
        (
            {"claims": [{**SAID["claims"][0], "than": ["one (fine-tuned)"]}]},
            "evaluate.finetune of row one has no self.",
        ),
    ],
)
def test_names_of_systems_metrics_and_settings_are_checked_before_anything_runs(changes, said, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**SAID, **changes}, sort_keys=False))
    with pytest.raises(SettingsError) as error:
        plan(path, params=PARAMS)
    assert said in str(error.value)


def test_rows_have_the_studys_settings_then_their_own_and_the_command_line_wins(tmp_path, monkeypatch):
    path = tmp_path / "studies" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(SAID, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    samples = {name: row.blocks["train"].samples for name, row in plan(find_study("mine"), params=PARAMS).rows.items()}
    assert samples == {"one": 40, "many": 40, "lost": 20}
    last = plan(path, params=PARAMS, overrides=["train.samples=7"]).rows
    assert {row.blocks["train"].samples for row in last.values()} == {7}
    with pytest.raises(SettingsError, match=r"^train\.samples"):  # what -S says is no mistake of the file's
        plan(path, params=PARAMS, overrides=["train.samples=0"])
    with pytest.raises(SettingsError, match='did you mean "mine"'):
        find_study("mime")


def test_rows_can_be_called_by_pattern_and_by_table():
    study = changed(tables={"first": {**SAID["tables"]["first"], "rows": [{"row": "many"}, {"row": "lost"}]}})
    assert chosen_rows(study, []) == ["one", "many", "lost"]
    assert chosen_rows(study, ["o*"]) == ["one"]
    assert chosen_rows(study, ["first"]) == ["many", "lost"]
    assert chosen_rows(study, ["shots", "lost"]) == ["one", "many", "lost"]
    with pytest.raises(SettingsError, match='did you mean "lost"'):
        chosen_rows(study, ["lots"])


@pytest.mark.parametrize("file", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_studies_have_rows_that_can_be_trained_and_enough_people_and_time(file):
    planned = plan(file, params=PARAMS)
    assert planned.corpus.blocks["render_clips"].identities >= 150
    minutes = {name: row.blocks["train"].minutes for name, row in planned.rows.items()}
    in_tables = {split_name(line.row)[0] for table in planned.study.tables.values() for line in table.rows if line.row}
    assert len(set(minutes.values())) == 1, "all trainings have the same wall clock"
    assert sum(minutes[row] for row in in_tables) / planned.study.side_by_side < 120


def test_caingans_tables_have_the_papers_figures_and_all_its_rows():
    planned = plan(ROOT / "studies" / "caingan.yaml", params=PARAMS)
    tables = {
        name: {line.title or planned.study.title_of(line.row): tuple(line.published.values()) for line in table.rows}
        for name, table in planned.study.tables.items()
    }
    assert tables["table1"] == {
        "pix2pixHD (1)": (0.66, 0.80, 72.26), "FSHM (1)": (0.64, 0.72, 93.17), "FSHM-FF-full (1)": (0.61, 46.61),
        "FSHM-FT-full (1)": (0.64, 48.5), "CainGAN (1)": (0.69, 0.85, 35), "pix2pixHD (8)": (0.66, 0.81, 71.89),
        "FSHM (8)": (0.65, 0.73, 83.13), "FSHM-FF-full (8)": (0.64, 42.2), "FSHM-FT-full (8)": (0.68, 42.2),
        "CainGAN (8)": (0.77, 0.91, 24.92), "CainGAN (1 to 8)": (),
    }  # fmt: skip
    assert tables["table2"] == {
        "CainGAN w/o T (1)": (0.69, 0.85, 36.26), "CainGAN w/o I (1)": (0.68, 0.84, 46.44),
        "CainGAN (1)": (0.69, 0.85, 35), "CainGAN w/o T (8)": (0.72, 0.87, 38.08),
        "CainGAN w/o I (8)": (0.76, 0.91, 28.72), "CainGAN w/o R (8)": (0.75, 0.90, 30.05),
        "CainGAN (8)": (0.77, 0.91, 24.92),
    }  # fmt: skip
    trained = {name: row.systems[planned.branch(name).system].sources for name, row in planned.rows.items()}
    assert all(trained[name] == int(name.rpartition("-")[2]) for name in trained if name[-1].isdigit())
    any_number = planned.rows["caingan-any"].systems["caingan"]
    assert (any_number.fewest_sources, any_number.sources) == (1, 8)


def entry(name, shots, quality, seed=0, further=()):
    """A row whose SSIM is `quality` on average, better for some persons than for others; 0.1 more with other shots."""
    rng = np.random.default_rng(seed)
    tables = []
    for row, more in ((name, 0.0), ("copy source", 0.0), ("other identity", -0.2), *((each, 0.1) for each in further)):
        pairs = [f"{person}-{number}" for person in range(PEOPLE) for number in range(PAIRS)]
        people = [f"person-{pair[0]}" for pair in pairs]
        values = quality + more + 0.01 * rng.standard_normal(len(pairs))
        tables.append(pd.DataFrame({
            "row": row, "split": "test", "identities": "unseen", "protocol": "self", "pair": pairs,
            "source_identity": people, "driving_identity": people, "drawn": True, "face_found": True,
            "ssim": values, "csim_truth": values + 0.2,
        }))  # fmt: skip
    faces = pd.concat(tables, ignore_index=True)
    for metric in ("mse", "lpips", "nme", "pose_angle", "psim", "ed", "csim_source", "csim_arcface_source",
                   "csim_arcface_truth"):  # fmt: skip
        faces[metric] = np.nan
    record = {"results": summarise(faces, repeats=50, seed=0), "shots": shots, "image_size": 64, "metrics": {}}
    return Entry(name=name, branch=Branch.parse("cgan-full-0"), run=name, status="trained", record=record, faces=faces)


@pytest.fixture
def figures():
    found = [entry("one", 1, 0.5), entry("many", 8, 0.6, seed=1, further=["many (2 shots)", "many (fine-tuned)"])]
    return Figures(entries={e.name: e for e in found}, repeats=50)


@pytest.fixture
def filled(figures):
    statuses = {"one": "", "many": "", "lost": "failed: loss pixel is not finite"}
    (table,) = fill(changed(), figures, statuses)
    return table


@dataclass(frozen=True)
class Child:
    """A row's work as `each_in_a_process` sees it: says when it began and ended, then ends as it was told to."""

    folder: Path
    name: str
    end: str = ""
    threads: int = 1

    def __call__(self):
        with (self.folder / "order").open("a") as stream:
            stream.write(f"begin {self.name} {os.environ['OMP_NUM_THREADS']}\n")
        if self.end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.end == "disk":
            raise StorageError("the disk is full")
        (self.folder / f"done-{self.name}").touch()
        while self.end == "wait" and len(list(self.folder.glob("done-*"))) < 2:
            time.sleep(0.01)

    def died(self, reason):
        (self.folder / f"died-{self.name}").write_text(reason)


def test_rows_run_side_by_side_in_processes_of_their_own_and_a_killed_one_is_told(tmp_path):
    """Each of the first two waits for the other, so one after the other they would never end."""
    each_in_a_process([Child(tmp_path, "a", "wait"), Child(tmp_path, "b", "wait"), Child(tmp_path, "c", "kill")], 2)
    began = (tmp_path / "order").read_text().splitlines()
    assert sorted(began[:2]) == ["begin a 1", "begin b 1"]
    assert (tmp_path / "died-c").read_text() == "its process ended with SIGKILL"
    assert not (tmp_path / "died-a").exists()


def test_a_full_disk_ends_all_rows_with_its_sentence(tmp_path):
    with pytest.raises(StorageError, match="the disk is full"):
        each_in_a_process([Child(tmp_path, "a", "disk"), Child(tmp_path, "b", "wait"), Child(tmp_path, "c")], 2)
    assert not (tmp_path / "done-c").exists()


def test_published_figures_stand_in_columns_of_their_own(filled):
    lines = to_markdown(filled).splitlines()
    heads = [head.strip() for head in lines[0].split("|")[1:-1]]
    assert heads == ["", "K", "SSIM ↑", "CSIM to truth ↑", "no face", "published SSIM ↑", "published FID ↓"]
    cells = {row[0]: dict(zip(heads, row, strict=True)) for row in
             ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])}  # fmt: skip
    assert cells["Ours (1)"]["published FID ↓"] == "35.5"
    assert cells["Ours (1)"]["SSIM ↑"].startswith("0.49")
    assert "▼" in cells["Ours (1)"]["SSIM ↑"], "tested against the row with more sources"
    assert cells["Theirs (whole data)"] == {**dict.fromkeys(heads, ""), "": "Theirs (whole data)",
                                            "published FID ↓": "46.61"}  # fmt: skip
    assert cells["lost"]["SSIM ↑"] == "failed: loss pixel is not finite"
    assert cells["Ours (8)"]["K"] == "8"
    assert {"copy source", "other identity"} <= cells.keys(), "what a CSIM is worth shows beside its floor"


def test_the_same_table_for_programs_and_for_papers(filled, tmp_path):
    (tmp_path / "table.csv").write_text(to_csv(filled))
    table = pd.read_csv(tmp_path / "table.csv").set_index("title")
    assert table.at["Ours (1)", "published_SSIM"] == 0.61
    assert table.at["Ours (1)", "ssim_low"] < table.at["Ours (1)", "ssim"] < table.at["Ours (1)", "ssim_high"]
    assert table.at["Ours (1)", "ssim_p_holm"] < 0.05
    tex = to_latex(filled)
    assert r"\multicolumn{2}{c}{ours} & \multicolumn{2}{c}{published}" in tex
    rows = [line for line in tex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in rows[1:]} == {4}
    assert tex.count(r"\textbf{0.6") == 1  # the better of the two


def test_a_claim_is_told_from_the_data(figures):
    (told,) = tell(changed(), figures)
    assert told.verdict == "holds"
    (found,) = told.comparisons
    one = next(each for each in found.differences if each.metric == "ssim")
    assert one.low < 0.1 < one.high
    assert "Ours (8) against Ours (1): SSIM +0.1" in found.sentence()
    (told,) = tell(changed(claims=[{**SAID["claims"][0], "better": "one", "than": ["many", "lost"]}]), figures)
    assert [one.verdict for one in told.comparisons] == ["does not hold", "not measured"]


def test_a_claim_may_name_a_reference(figures):
    """`other identity` is 0.2 below its rows."""
    study = changed(claims=[{"says": "Not anybody.", "better": "one", "than": ["other identity"], "metrics": ["ssim"]}])
    (told,) = tell(study, figures)
    assert told.verdict == "holds"
    (found,) = told.comparisons[0].differences
    assert found.value == pytest.approx(0.2, abs=0.02)
    assert told.comparisons[0].sentence().startswith("Ours (1) against other identity: SSIM +0.196 [")
    with pytest.raises(SettingsError, match="no row copy source"):
        changed(rows={**SAID["rows"], "two": {"system": "cgan", "against": "copy source"}})


@pytest.mark.parametrize(("pictures", "tested"), [(32, True), (31, True), (30, False)])
def test_distances_of_sets_are_tested_at_about_equal_numbers_of_pictures_only(figures, pictures, tested, tmp_path):
    """By itself a Frechet distance of fewer pictures is larger."""
    people = [f"person-{k}" for k in range(PEOPLE)]
    for name, n, value in (("one", 32, 0.2), ("many", pictures, 0.1)):
        left_out = {person: value + 0.001 * k for k, person in enumerate(people)}
        facts = {"row": name, "split": "test", "identities": "unseen", "protocol": "self", "metric": "fid_reader"}
        figures.entries[name].record["results"].append(
            {**facts, "value": value, "low": 0.0, "high": 1.0, "n": n, "left_out": left_out, "pairs": 32, "no_face": 0,
             "people": PEOPLE}
        )  # fmt: skip
    (found,) = figures.differences("many", "one", ["fid_reader"], "self")
    assert found.value == pytest.approx(-0.1)
    assert found.better == (True if tested else None)
    said = Comparison(better="a", than="b", needed=1, differences=[found], verdict="can't be told").sentence()
    assert ("FID (reader) -0.1 of 30 and of 32 pictures, too different to be tested" in said) == (not tested)
    rows = list(figures.entries.values())
    captions = " ".join(caption(rows, {}, tmp_path, metrics=["fid_reader"]))
    assert "FID" not in " ".join(caption(rows, {}, tmp_path, metrics=["ssim"])), "no column of it"
    assert (f"FID (reader): over {pictures} to 32 pictures" in captions) == (pictures < 32)


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [(["holds", "holds"], "holds"), (["holds", "can't be told"], "can't be told"),
     (["holds", "does not hold"], "does not hold"), (["not measured", "does not hold"], "does not hold"),
     (["holds", "not measured"], "can't be told"), (["not measured"], "not measured")],
)  # fmt: skip
def test_a_claim_against_several_rows_holds_only_against_all_of_them(verdicts, told):
    said = [Comparison(better="a", than="b", needed=1, differences=(), verdict=one) for one in verdicts]
    assert Told(says="Better than both.", comparisons=said).verdict == told


def test_a_caption_says_what_trainings_were_given_by_their_own_records(tmp_path):
    one = Trained(minutes=8.0, seconds=481, samples=100, steps=10, sources=1, chosen=9, machine="", rule="")
    other = replace(one, minutes=2.0, seconds=120, samples=30)
    rows = [Entry(name=name, branch=None, run=name, status="missing", reason="") for name in "ab"]
    same = caption(rows, {"a": one, "b": one}, tmp_path, metrics=[])[0]
    assert same.startswith("every training was given 8 minutes, validation included: they took 8.02 to 8.02 minutes")
    assert (
        "NOT given the same wall clock (2 minutes, 8 minutes)"
        in caption(rows, {"a": one, "b": other}, tmp_path, metrics=[])[0]
    )


@pytest.mark.parametrize(
    ("better", "worse", "unknown", "needed", "told"),
    [(2, 1, 0, 2, "holds"), (1, 0, 2, 2, "can't be told"), (1, 2, 0, 2, "does not hold"), (0, 1, 2, 3, "does not hold"),
     (0, 0, 3, 1, "can't be told")],
)  # fmt: skip
def test_verdicts(better, worse, unknown, needed, told):
    ours = [Difference(metric="mse", value=-1.0, p_holm=0.01)] * better
    theirs = [Difference(metric="ssim", value=-1.0, p_holm=0.01)] * worse
    assert verdict([*ours, *theirs, *[Difference(metric="mse", value=-1.0, p_holm=0.3)] * unknown], needed) == told


def test_curves_take_rows_of_their_own_and_one_row_with_more_and_more_sources(figures):
    study = changed()
    table = points(study, figures).set_index(["series", "x"])
    assert table.loc["own rows", "value"].round(1).to_dict() == {1.0: 0.5, 8.0: 0.6}
    assert table.loc["one row", "value"].round(1).to_dict() == {2.0: 0.7, 8.0: 0.6}  # 8 is its own number
    assert table.loc["fitted", "value"].round(1).to_dict() == {8.0: 0.7}
    assert (table["low"] < table["value"]).all()
    charts = draw(study.curves["shots"], points(study, figures))
    assert charts["svg"].startswith(b"<?xml")
    assert charts["png"].startswith(b"\x89PNG")


def test_a_difference_of_sets_agrees_with_the_paired_t_test_where_the_figure_is_a_mean():
    """Of a mean with one value per person the jackknife is the t-test."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=12)
    b = a + 0.3 + 0.2 * rng.normal(size=12)
    people = [[f"person-{k}" for k in range(12)]]
    (ours,), (theirs,) = (leave_one_out(lambda keep, x=x: float(x[keep].mean()), people, n=12) for x in (a, b))
    interval, test = set_difference(a.mean(), b.mean(), (ours, theirs))
    expected = stats.ttest_rel(a, b)
    assert test.p == pytest.approx(expected.pvalue, rel=1e-9)
    low, high = expected.confidence_interval()
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)


class Unlogged(NullTracker):
    run_id = ""

    def tags(self, _):
        pass

    def artifact(self, *_):
        pass


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A study of two trainings of seconds on a corpus of drawn heads, which stands in for the corpus stages."""
    monkeypatch.setattr(judges, "JUDGES", {"tools": lambda _: fake_judge()})
    monkeypatch.setattr(runs, "branch_run", lambda *_, **__: nullcontext(Unlogged()))  # MLflow takes seconds
    counts = {"sources": 1, "self_pairs": 2, "cross_pairs": 0, "cross_truth": 0, "lsim": 0, "sequences": 0}
    settings = {
        "runtime": {"device": "cpu", "threads": 1},
        "systems": {"cgan": {"width": 2, "discriminator_width": 2}},
        "train": {"size": 32, "samples": 20, "batch": 5, "validate_every": 10, "validate_pairs": 4, "probes": 0},
        "evaluate": {"val": counts, "test": counts, "bootstrap": 20, "samples": 2, "cache": "", "judge_size": 64,
                     "retarget": []},
        "checkpoints": {"uri": str(tmp_path / "checkpoints")},
    }  # fmt: skip
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**SAID, "settings": settings}, sort_keys=False))
    out = tmp_path / "out"
    write_corpus(out)
    make_guide(out)
    return plan(path, params=PARAMS), out


def test_a_small_study_from_end_to_end(tiny):
    """Rows are trained and scored; one that dies is a row with its reason, and all that a second run has to do."""
    planned, out = tiny
    called = []

    def runner(stage, *, out, branch=None, **more):
        called.append(f"{stage} {out.parent.name}" if branch else stage)
        if stage in CORPUS:
            if not (out / "stage.json").exists():
                write_stage(out, kind=out.name)
        elif called[-1] == "train lost":
            raise RuntimeError("out of luck")
        else:
            run_step(stage, out=out, branch=branch, **more)

    run_study(planned, out, list(planned.rows), runner=runner)
    of_rows = ["train one", "evaluate one", "train many", "evaluate many", "train lost"]
    assert called == [*CORPUS, *of_rows]
    called.clear()
    run_study(planned, out, list(planned.rows), runner=runner)
    assert called == ["train lost"]
    assert "one: cgan-full-0; otherwise than the others: nothing; done" in outlook(planned, out, ["one"])

    results = make_results(planned, out)
    write_results(out, results)
    text = (out / "study.md").read_text()
    assert "train: RuntimeError: out of luck" in text
    assert "saw 20 to 20 samples" in text
    assert "10 identities, 100 frames (train 3 identities, 30 frames; val 3 identities" in text
    assert "8 test pairs of 4 persons" in text
    record = json.loads((out / "study.json").read_text())
    assert record["rows"]["lost"]["status"] == "failed"
    assert record["trained"]["one"]["samples"] == 20
    scored = json.loads((out / "rows" / "many" / "evaluate" / "metrics.json").read_text())
    own = next(r for r in scored["results"] if (r["row"], r["split"], r["metric"]) == ("cgan-full-1", "test", "ssim"))
    assert record["tables"]["first"]["rows"][1]["figures"]["ssim"]["value"] == own["value"]
    page = (out / "study.html").read_text()
    assert not re.search(r"(src|href)=.?http", page)
    assert (out / "curves" / "shots.svg").exists()

    assert "other settings" not in text
    last = plan(planned.file, params=PARAMS, overrides=["evaluate.bootstrap=10"])
    called.clear()
    assert "other settings or code than those of now: one, many" in make_results(last, out).captions["first"][-1]
    run_study(last, out, ["one"], runner=runner)
    assert called == ["evaluate one"]
