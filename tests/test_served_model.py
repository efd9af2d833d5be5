"""What a registered model is sent: each way of going wrong is one sentence."""

from types import SimpleNamespace

import numpy as np
import pytest

from reenact.errors import BadInput
from reenact.tracking.served_model import ServedModel


@pytest.fixture
def served():
    model = ServedModel()
    model.system = SimpleNamespace(size=8, labels=(), reenact=lambda sources, driving: sources.image.mean(dim=1))
    return model


def sent(samples=2, sources=3, **changes):
    random = np.random.default_rng(0)
    shapes = {
        "sources": (samples, sources, 3, 8, 8), "source_landmarks": (samples, sources, 68, 2),
        "source_actions": (samples, sources, 17), "source_pose": (samples, sources, 3),
        "driving_landmarks": (samples, 68, 2), "driving_actions": (samples, 17), "driving_pose": (samples, 3),
    }  # fmt: skip
    return {name: random.random(shape, np.float32) for name, shape in shapes.items()} | changes


def test_sources_are_drawn_with_edits_of_one_number_or_of_all(served):
    for params in (None, {"edit_pose": [5.0]}, {"edit_actions": [1.0] * 17, "edit_pose": [0.0] * 3}):
        assert served.predict(None, sent(), params).shape == (2, 3, 8, 8)
    outside = sent()["driving_landmarks"] * 1.5 - 0.3  # a chin below the crop is no mistake
    assert served.predict(None, sent(driving_landmarks=outside)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("changes", "params", "said"),
    [
        ({"samples": 0}, {}, "sources: an empty batch (B = 0)"),
        ({"sources": 0}, {}, "there is no source picture (K = 0)"),
        ({"source_actions": np.zeros((2, 4, 17))}, {}, "source_actions: expected (2, 3) sets of labels"),
        ({"driving_pose": np.zeros((3, 3))}, {}, "driving_pose: expected (2,) sets of labels"),
        ({"driving_landmarks": 8 * sent()["driving_landmarks"]}, {}, "Divide pixels by the crop's side"),
        ({}, {"edit_actions": [1.0] * 5}, "edit_actions: expected 17 numbers, one for each of driving_actions, got 5"),
    ],
)
def test_what_cant_be_drawn_is_one_sentence(served, changes, params, said):
    with pytest.raises(BadInput) as error:
        served.predict(None, sent(**changes), params)
    assert said in str(error.value)
