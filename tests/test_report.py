"""The report: one file, nothing fetched, every branch in it, marks and error maps that mean what they say."""

import base64
import json
import re
from dataclasses import asdict
from html.parser import HTMLParser

import cv2
import numpy as np
import pandas as pd
import pytest

from reenact.corpus.tables import write_table
from reenact.evaluation.assemble import Comparison
from reenact.evaluation.collect import Entry
from reenact.evaluation.further_names import RETARGETED, further
from reenact.faces.landmarks import GROUPS
from reenact.reports.comparison import write_report
from reenact.reports.figures_table import figures_html, significant
from reenact.reports.grids import draw_landmarks, error_map
from reenact.reports.magnitudes import at_the_end, weighted
from reenact.systems.branch import Branch
from reenact.tracking.lineage import Lineage

GOOD, OTHER, LOST = (Branch(system="cgan", variant=v, seed=0) for v in ("full", "no_pixel", "no_triple"))
PAIRS = ("p0", "p1", "p2", "p3")


def some_samples(side=64):
    """Samples of four pairs of each protocol, the last of which is a case only."""
    random = np.random.default_rng(0)

    def drawn():
        small = random.integers(0, 255, (4, 4, 3), np.uint8)
        return cv2.imencode(".jpg", cv2.resize(small, (side, side)))[1].tobytes()

    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    ring = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return pd.DataFrame(
        [
            {"pair": f"{protocol}-{pair}", "protocol": protocol, "identities": "unseen", "identity": f"<clip>&{pair}",
             "name": f"<clip>&{pair} #1 driven by b #2", "strip": pair != "p3",
             "landmarks": ring.astype(np.float32).ravel(), "source": drawn(), "driving": drawn(),
             "truth": drawn() if protocol == "self" else None, "generated": drawn()}
            for protocol in ("self", "cross")
            for pair in PAIRS
        ]
    )  # fmt: skip


def faces_of(name):
    """Scores of the same pairs; the last one's face was not found."""
    return pd.DataFrame(
        [
            {"pair": f"{protocol}-{pair}", "row": name, "split": "test", "protocol": protocol, "identities": "unseen",
             "drawn": True, "face_found": pair != "p3", "ed": np.nan if pair == "p3" else 1.0 + k}
            for protocol in ("self", "cross")
            for k, pair in enumerate(PAIRS)
        ]
    )  # fmt: skip


def entry_in(root, branch, number):
    """A scored branch with all that an evaluation and a training leave."""
    random = np.random.default_rng(number)
    folder = root / "branches" / branch.name
    history = pd.DataFrame(
        [
            {"step": s, "samples": s * 8, "seconds": s * 0.1, "name": name, "value": float(np.exp(-s / 200) * scale
             + random.normal() * 0.02 * scale)}
            for name, scale in (("pixel", 1.0), ("triple", 0.4), ("val_mse", 0.1 + number))
            for s in range(0, 1000, 2)
        ]
    )  # fmt: skip
    write_table(folder / "train" / "history.parquet", history, kind="history")
    status = {"status": "trained", "steps": 1000, "samples": 8000, "training_seconds": 95.0, "key": "k" * 64,
              "data": "d" * 64, "features": {"name": "guide", "sha256": "f" * 64},
              "runtime": {"device": "cpu", "threads": 1},
              "system_settings": {"weights": {"pixel": 10.0, "triple": 100.0}}}  # fmt: skip
    (folder / "train" / "status.json").write_text(json.dumps(status))
    write_table(folder / "evaluate" / "samples.parquet", some_samples(), kind="samples")
    cost = {"seconds_per_picture": 0.0123, "batch": 32, "device": "cpu", "threads": 1,
            "parameters": {"generator": 2_500_000}}  # fmt: skip
    (folder / "evaluate" / "cost.json").write_text(json.dumps(cost))
    alarms = [
        {"name": "identity collapse", "verdict": "alarm" if number else "fine", "value": 0.04, "limit": 0.1,
         "meaning": "share of the way from source to target", "split": "test", "protocol": "self"}
    ]  # fmt: skip
    return Entry(name=branch.name, branch=branch, status="trained", record={"alarms": alarms, "notes": []},
                 faces=faces_of(branch.name), evaluation=folder / "evaluate", training=folder / "train")  # fmt: skip


DIFFERENCE = {"row": GOOD.name, "against": "copy source", "column": "self_mse", "metric": "mse", "value": -0.0086,
              "low": -0.009, "high": -0.008, "n": 46, "people": 8, "p": 0.0005, "p_holm": 0.004, "effect": -2.1,
              "detectable": 0.0007}  # fmt: skip


def some_bands():
    return pd.DataFrame(
        [
            {"row": row, "kind": "yaw", "band": band, "protocol": "self", "identities": "unseen", "metric": "ed",
             "value": 1.5, "low": 1.2, "high": 1.9, "n": 12, "people": 4, "pairs": 14, "judged": 0.86}
            for row in ("copy source", GOOD.name)
            for band in ("0-30", "30-60", "60-")
        ]
    )  # fmt: skip


def some_table():
    rows = []
    for name, status, mse in (("copy source", "reference", 0.0129), ("ground truth", "reference", 0.0),
                              (GOOD.name, "trained", 0.0043), (OTHER.name, "trained", 0.0051),
                              (LOST.name, "missing: its training left no record", None)):  # fmt: skip
        row = {"row": name, "status": status}
        for prefix in ("self", "cross"):
            if mse is not None:
                row |= {f"{prefix}_{m}": mse * f for m, f in (("mse", 1), ("ssim", 90), ("pose_angle", 400))}
                row |= {f"{prefix}_mse_low": mse * 0.9, f"{prefix}_mse_high": mse * 1.1}
                row |= {f"{prefix}_pairs": 48.0, f"{prefix}_no_face": 2.0}
        rows.append(row)
    return pd.DataFrame(rows)


def made_up(root):
    """Two scored branches, one that is missing; the arguments of write_report."""
    entries = [entry_in(root, branch, number) for number, branch in enumerate((GOOD, OTHER))]
    lost = Entry(name=LOST.name, branch=LOST, status="missing", reason="its training left no record",
                 training=root / "branches" / LOST.name / "train")  # fmt: skip
    checks = pd.DataFrame(
        [{"table": "clips", "check": "consent: known", "level": "warning", "passed": False, "observed": "3 of 40",
          "detail": "ana, ben"},
         {"table": "clips", "check": "clip: present", "level": "critical", "passed": True, "observed": "all of 40",
          "detail": ""}]
    )  # fmt: skip
    split = pd.DataFrame([{"clip": "a", "identity": "a", "split": "train", "start": 0, "stop": 90, "by": "identity"}])
    quality = [{"label": "landmarks", "value": "0.031", "meaning": "mean distance to the truth, outer eye distances"}]
    comparison = Comparison(
        entries=[*entries, lost],
        table=some_table(),
        differences=pd.DataFrame([DIFFERENCE]),
        winner={"branch": GOOD.name, "metric": "self_ed", "value": 0.12345,
                "rule": {"split": "val", "metric": "ed", "protocol": "self"}},
        notes=["one training: intervals are over faces"],
        shared={"image_size": 64, "judge": {"name": "tools"}},
    )  # fmt: skip
    write_table(root / "bands.parquet", some_bands(), kind="bands")
    context = {
        "checks": checks,
        "split": split,
        "label_quality": quality,
        "lineage": asdict(Lineage(git_commit="abc123")),
    }
    return {"comparison": comparison, "context": context}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    write_report(root / "report.html", **made_up(root))
    return (root / "report.html").read_text()


class Outline(HTMLParser):
    """Links, pictures and balance of tags."""

    def __init__(self):
        super().__init__()
        self.links, self.open, self.pictures = [], [], 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.links += [values[name] for name in ("src", "href", "srcset", "action") if values.get(name)]
        self.pictures += tag == "img"
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_one_well_formed_file_that_fetches_nothing(text):
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.pictures >= 3 * 2 * 4 + 2 + 3  # strips of persons, a chart of magnitudes per branch, one per term
    assert all(link.startswith("data:image/") for link in outline.links)
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    assert "url(" not in style
    assert "@import" not in style
    assert "<script" not in text


def test_it_shows_every_branch_and_marks_synthetic_faces(text):
    for branch in (GOOD, OTHER, LOST):
        assert branch.name in text
    assert "its training left no record" in text
    assert "synthetic" in text
    assert "research only" in text
    assert "abc123" in text
    assert "0.0043" in text
    assert "0.1234" in text or "0.1235" in text


def test_names_from_outside_are_escaped(text):
    assert "<clip>" not in text
    assert "&lt;clip&gt;&amp;p0" in text


def test_charts_are_drawn_of_every_term_every_branchs_magnitudes_and_every_band(text):
    charts = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text)]
    assert len(charts) == 3 + 2 + 1
    assert all("<path" in chart for chart in charts)


def section_of(text, title):
    return text.split(f"<h2>{title}</h2>")[1].split("</section>")[0]


def test_a_strip_shows_one_person_by_every_branch_and_every_drawn_face_is_marked(text):
    strips = section_of(text, "Strips")
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", strips)
    assert len(rows) == 3 * 2
    assert "&amp;p3" not in strips  # a case, no strip
    for row in rows:
        assert row.count('class="face fake"') == 2
        assert all(f"drawn by {branch.name}, a synthetic face" in row for branch in (GOOD, OTHER))
    assert [row.count("where it differs") for row in rows] == [3, 3, 3, 0, 0, 0]  # source and branches, with a truth


def test_cases_are_named_with_their_value_and_so_are_lost_faces(text):
    cases = section_of(text, "Best, median and worst")
    for value in ("ED 1", "ED 2", "ED 3"):
        assert cases.count(f": {value}") == 2
    assert "one of 1" in cases
    assert cases.count('class="face fake"') == 2 * 4


def test_alarms_cost_and_bands_are_said_in_numbers(text):
    alarms = section_of(text, "Alarms")
    assert alarms.count(">alarm<") >= 1
    assert "share of the way" in alarms
    assert "1 alarm<" in text.split("<section>")[0]
    assert "12.3" in section_of(text, "Cost")
    assert "generator 2.50 M" in section_of(text, "Cost")
    assert "By the driver&#x27;s yaw" in section_of(text, "By bands") or "driver's yaw" in section_of(text, "By bands")
    assert "0.86" in section_of(text, "By bands")


def test_marks_stand_at_figures_that_a_corrected_test_tells_apart():
    against_full = {**DIFFERENCE, "row": OTHER.name, "against": GOOD.name}
    lines = [
        DIFFERENCE,  # less of what should be low: better
        {**against_full, "value": 0.001},  # worse than full
        {**against_full, "column": "self_ssim", "metric": "ssim", "value": 0.1, "p_holm": 0.049},  # more is better
        {**against_full, "column": "cross_mse", "p_holm": 0.051},
        {**against_full, "column": "cross_ssim", "metric": "ssim", "p_holm": np.nan},
    ]
    driven = {**DIFFERENCE, "row": further(OTHER.name, RETARGETED), "against": OTHER.name}
    found = significant(pd.DataFrame([*lines, driven]))
    assert found == {
        (driven["row"], "self_mse"): [("o", True, 0.004)],
        (GOOD.name, "self_mse"): [("c", True, 0.004)],
        (OTHER.name, "self_mse"): [("f", False, 0.004)],
        (OTHER.name, "self_ssim"): [("f", True, 0.049)],
    }
    text = figures_html(some_table(), GOOD.name, pd.DataFrame(lines))
    assert text.count("▲c</sup>") == text.count("▼f</sup>") == text.count("▲f</sup>") == 1
    assert "▼c</sup>" not in text
    cell = next(cell for cell in text.split("<td>") if "▲c</sup>" in cell)
    assert "0.0043" in cell


def test_magnitudes_are_weight_times_value(tmp_path):
    entry = entry_in(tmp_path, GOOD, 0)
    wide = weighted(entry.training)
    assert list(wide.columns) == ["samples", "pixel", "triple"]
    assert wide["pixel"][0] == pytest.approx(10, rel=0.1)
    assert wide["triple"][0] == pytest.approx(40, rel=0.1)
    assert len(wide) == 500
    last = wide[wide["samples"] >= wide["samples"].max() * 0.9]
    assert at_the_end(wide)["pixel"] == pytest.approx(last["pixel"].mean())


def test_a_report_without_any_branch_on_disk_is_still_written(tmp_path):
    lost = Entry(name=LOST.name, branch=LOST, status="missing", reason="killed", training=tmp_path / "train")
    comparison = Comparison(
        entries=[lost], table=pd.DataFrame([{"row": LOST.name, "status": "missing: killed"}]),
        differences=pd.DataFrame(), winner={"branch": None, "metric": "self_ed", "value": None, "rule": {}}, notes=[],
        shared={},
    )  # fmt: skip
    write_report(tmp_path / "r.html", comparison=comparison, context={})
    text = (tmp_path / "r.html").read_text()
    assert "No branch was chosen" in text
    assert "missing: killed" in text


@pytest.mark.parametrize(
    "gone", ["evaluate/samples.parquet", "evaluate/cost.json", "train/history.parquet", "train/status.json"]
)
def test_a_part_that_a_branch_lacks_costs_that_part_alone(tmp_path, gone):
    arguments = made_up(tmp_path)
    for branch in (GOOD, OTHER):
        (tmp_path / "branches" / branch.name / gone).unlink()
    (tmp_path / "bands.parquet").write_text("damaged")
    write_report(tmp_path / "r.html", **arguments)
    text = (tmp_path / "r.html").read_text()
    assert "0.0043" in text
    assert "no figures by bands" in text
    assert text.count('class="soft">No branch left') >= 1 or "no record" in text


def test_a_branch_whose_pictures_are_other_pairs_has_gaps_and_not_others_faces(tmp_path):
    arguments = made_up(tmp_path)
    path = tmp_path / "branches" / OTHER.name / "evaluate" / "samples.parquet"
    samples = some_samples()
    write_table(path, samples[samples["pair"] != "self-p0"], kind="samples")
    write_report(tmp_path / "r.html", **arguments)
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section_of((tmp_path / "r.html").read_text(), "Strips"))
    assert [row.count('class="face fake"') for row in rows] == [1, 2, 2, 2, 2, 2]


def test_facts_on_data_are_taken_from_a_branch_that_left_them(tmp_path):
    arguments = made_up(tmp_path)
    facts = {"label_quality": [{"label": "fit", "value": "0.0777", "meaning": "median"}]}
    (tmp_path / "branches" / OTHER.name / "evaluate" / "data.json").write_text(json.dumps(facts))
    write_report(tmp_path / "r.html", comparison=arguments["comparison"], context={})
    assert "0.0777" in (tmp_path / "r.html").read_text()


def test_error_maps_follow_matplotlibs_viridis_from_0_to_96():
    from matplotlib import colormaps

    target = np.full((1, 4, 3), 100, np.uint8)
    generated = target.copy()
    generated[0, 1] += 48
    generated[0, 2] = [100 + 96, 100, 100]  # mean over channels: 32
    generated[0, 3] = 250  # beyond the scale
    expected = [colormaps["viridis"](share)[:3] for share in (0.0, 0.5, 1 / 3, 1.0)]
    np.testing.assert_allclose(error_map(generated, target)[0] / 255, expected, atol=0.02)


def test_landmarks_are_drawn_where_they_are():
    landmarks = np.full((68, 2), -1.0)
    landmarks[list(GROUPS["jaw"])] = np.stack([np.linspace(0.25, 0.75, 17), np.full(17, 0.5)], axis=1)
    drawn = draw_landmarks(landmarks, 100)[:, :, 2] > 100
    rows, columns = np.nonzero(drawn)
    assert abs(rows.mean() - 49.5) < 1.0
    assert abs(columns.min() - 24.5) <= 2
    assert abs(columns.max() - 74.5) <= 2
