"""The report: one file, nothing fetched, every branch in it, error maps that mean what they say."""

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
from reenact.faces.landmarks import GROUPS
from reenact.reports.comparison import write_report
from reenact.reports.grids import draw_landmarks, error_map, grid
from reenact.systems.branch import Branch
from reenact.tracking.lineage import Lineage

GOOD, OTHER, LOST = (Branch(system="cgan", variant=v, seed=0) for v in ("full", "no_pixel", "no_triple"))


def some_samples(count=3, side=64):
    random = np.random.default_rng(0)
    result = {}
    for protocol in ("self", "cross"):
        for name in ("source", "generated", "target"):
            small = random.integers(0, 255, (count, 4, 4, 3), np.uint8)
            result[f"{protocol}_{name}"] = np.stack([cv2.resize(image, (side, side)) for image in small])
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        ring = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        result[f"{protocol}_landmarks"] = np.repeat(ring[None], count, axis=0).astype(np.float32)
        result[f"{protocol}_name"] = np.array([f"<clip>&{i}" for i in range(count)])
    return result


def made_up(root):
    """Two scored branches, one that is missing; the arguments of write_report."""
    random = np.random.default_rng(1)
    for number, branch in enumerate((GOOD, OTHER)):
        folder = root / "branches" / branch.name
        history = pd.DataFrame(
            [
                {"step": s, "samples": s * 8, "seconds": s * 0.1, "name": name, "value": float(np.exp(-s / 200) * scale
                 + random.normal() * 0.02 * scale)}
                for name, scale in (("generator/pixel", 1.0), ("generator/triple", 0.4), ("val/mse", 0.1 + number))
                for s in range(0, 1000, 2)
            ]
        )  # fmt: skip
        write_table(folder / "train" / "history.parquet", history, kind="history")
        status = {"status": "trained", "steps": 1000, "samples": 8000, "training_seconds": 95.0, "key": "k" * 64,
                  "data": "d" * 64, "features": {"name": "guide", "sha256": "f" * 64}}  # fmt: skip
        (folder / "train" / "status.json").write_text(json.dumps(status))
        (folder / "evaluate").mkdir()
        np.savez(folder / "evaluate" / "samples.npz", **some_samples())
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
    differences = pd.DataFrame(
        [{"row": GOOD.name, "against": "copy source", "column": "self_mse", "metric": "mse", "value": -0.0086,
          "low": -0.009, "high": -0.008, "n": 46, "people": 8,
          "p": 0.0005, "p_holm": 0.004, "effect": -2.1, "detectable": 0.0007}]
    )  # fmt: skip
    checks = pd.DataFrame(
        [{"table": "clips", "check": "consent: known", "level": "warning", "passed": False, "observed": "3 of 40",
          "detail": "ana, ben"},
         {"table": "clips", "check": "clip: present", "level": "critical", "passed": True, "observed": "all of 40",
          "detail": ""}]
    )  # fmt: skip
    split = pd.DataFrame([{"clip": "a", "identity": "a", "split": "train", "start": 0, "stop": 90, "by": "identity"}])
    winner = {"branch": GOOD.name, "metric": "self_ed", "value": 0.12345, "rule": {"split": "val"}}
    quality = [{"label": "landmarks", "value": "0.031", "meaning": "mean distance to the truth, outer eye distances"}]
    context = {"notes": ["one training: intervals are over faces"], "differences": differences, "checks": checks,
               "split": split, "label_quality": quality, "lineage": asdict(Lineage(git_commit="abc123")),
               "image_size": 64, "judge": {"name": "tools"}}  # fmt: skip
    return {"table": pd.DataFrame(rows), "branches": root / "branches", "expected": [GOOD, OTHER, LOST],
            "winner": winner, "context": context}  # fmt: skip


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
    assert outline.pictures >= 4 + 3  # a grid per branch and protocol, a chart per term
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
    assert "&lt;clip&gt;&amp;0" in text


def test_curves_are_drawn_from_every_term(text):
    charts = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text)]
    assert len(charts) == 3
    assert all("<path" in chart for chart in charts)


def test_a_report_without_any_branch_on_disk_is_still_written(tmp_path):
    table = pd.DataFrame([{"row": LOST.name, "status": "missing: killed"}])
    winner = {"branch": None, "metric": "self_ed", "value": None, "rule": {}}
    write_report(tmp_path / "r.html", table=table, branches=tmp_path, expected=[LOST], winner=winner, context={})
    text = (tmp_path / "r.html").read_text()
    assert "No branch was chosen" in text
    assert "missing: killed" in text


def test_facts_on_data_are_taken_from_a_branch_that_left_them(tmp_path):
    arguments = made_up(tmp_path)
    facts = {"label_quality": [{"label": "fit", "value": "0.0777", "meaning": "median"}]}
    (arguments["branches"] / OTHER.name / "evaluate" / "data.json").write_text(json.dumps(facts))
    write_report(tmp_path / "r.html", **{**arguments, "context": {}})
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


def test_cross_grids_have_no_difference_column():
    samples = some_samples()
    assert grid(samples, "self").shape[1] > grid(samples, "cross").shape[1]
    assert grid({}, "self") is None
