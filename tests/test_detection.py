"""The area under the ROC curve of real and generated video: the rank sum statistic, and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reenact.evaluation.detection import area, detection, detection_markdown
from reenact.reports.detection import detection_html


def people(count, each):
    return [f"person-{number}" for number in range(count) for _ in range(each)]


def test_the_area_is_the_rank_sum_statistic_ties_counted_half():
    rng = np.random.default_rng(0)
    fake, real = rng.integers(0, 6, 30).astype(float), rng.integers(0, 5, 20).astype(float)
    found = area(fake, people(10, 3), real, people(10, 2))
    assert found.value == pytest.approx(stats.mannwhitneyu(fake, real).statistic / (30 * 20))
    assert found.low < found.value < found.high


def test_what_lies_apart_is_told_and_what_is_alike_is_chance():
    names = people(12, 4)
    rng = np.random.default_rng(1)
    real = rng.normal(size=48)
    assert area(real + 100, names, real, names).plain()["value"] == 1.0
    assert area(real - 100, names, real, names).plain()["high"] == 0.0
    same = area(rng.normal(size=48), names, real, names)
    assert same.low < 0.5 < same.high


def test_the_interval_is_over_people_not_over_stretches():
    """Forty stretches of four people say no more than four do, where each person's are alike."""
    rng = np.random.default_rng(2)
    level = np.repeat(rng.normal(size=4), 10)
    few = area(level + 0.3, people(4, 10), level, people(4, 10))
    many = area(level + 0.3, [str(i) for i in range(40)], level, [str(i) for i in range(40)])
    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_one_person_has_no_interval_and_nothing_has_no_value():
    alone = area(np.array([1.0, 2.0]), ["a", "a"], np.array([0.0]), ["a"]).plain()
    assert (alone["value"], alone["low"]) == (1.0, None)
    assert area(np.array([]), [], np.array([0.0]), ["a"]).plain()["value"] is None


def test_stretches_are_cases_and_real_ones_are_the_true_frames_of_selfvideo():
    rows = []
    levels = [("ground truth", "selfvideo", 1.0), ("warp", "selfvideo", 2.0), ("warp", "crossvideo", 0.5),
              ("ground truth", "crossvideo", np.nan)]  # fmt: skip
    for person in range(6):
        for frame in range(4):
            for row, protocol, value in levels:
                wave = np.nan if frame < 2 else value + 0.1 * (frame - 2) + 0.01 * person
                rows.append({"split": "test", "row": row, "protocol": protocol, "sequence": f"{person} {protocol}",
                             "driving_identity": f"p{person}", "jitter": wave, "flicker": 3 - wave})  # fmt: skip
    found = detection(pd.DataFrame(rows), "warp", split="test", repeats=100, seed=0)
    values = {(r["protocol"], r["measure"]): (r["value"], r["n"], r["people"]) for r in found}
    assert values == {
        ("selfvideo", "jitter"): (1.0, 6, 6), ("selfvideo", "flicker"): (0.0, 6, 6),
        ("crossvideo", "jitter"): (0.0, 6, 6), ("crossvideo", "flicker"): (1.0, 6, 6),
    }  # fmt: skip
    assert "| warp | selfvideo | 1.00 [1.00, 1.00] | 0.00 [0.00, 0.00] | 6 |" in detection_markdown(found)
    assert detection(pd.DataFrame(rows), "warp", split="val", repeats=10, seed=0) == []


def test_the_page_says_where_chance_is_and_leaves_out_what_is_not_known():
    known = {"row": "a<b", "protocol": "selfvideo", "measure": "jitter", "value": 0.75, "low": 0.6, "high": 0.9, "n": 9}
    drawn = detection_html([known, {**known, "measure": "flicker", "value": None, "n": 0}])
    assert "a&lt;b" in drawn
    assert '0.75<span class="interval">0.60 to 0.90</span>' in drawn
    assert ">-<" in drawn
    assert detection_html([]) == ""
