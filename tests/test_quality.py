"""What a picture says about its worth: blur, exposure, clipped pixels, what hides the face."""

import cv2
import numpy as np
import pytest
from skimage.measure import blur_effect as reference_blur

from reenact.labelling.backend import Box
from reenact.labelling.quality import QUALITY, FaceColours, blur_effect, quality

BOX = Box(16, 16, 112, 112)


def textured(seed: int = 0, side: int = 128) -> np.ndarray:
    """A smooth skin-like picture with fine detail on it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(-25, 25, (9, 9, 1)) + np.array([180, 130, 105])
    smooth = cv2.resize(small.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 6, (side, side, 1))).clip(0, 255).astype(np.uint8)


def measured(image: np.ndarray, usual: np.ndarray | None = None) -> dict[str, float]:
    """The columns by name."""
    return dict(zip(QUALITY, quality(image, BOX, face_size=90.0, usual=usual).row(), strict=True))


def usual_of(images: list[np.ndarray]) -> np.ndarray:
    """The colours of a clip."""
    colours = FaceColours()
    for image in images:
        colours.offer(image, BOX)
    usual = colours.usual()
    assert usual is not None
    return usual


@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.5, 3.0])
def test_blur_agrees_with_scikit_image(sigma: float) -> None:
    luma = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8)
    luma = cv2.GaussianBlur(luma, (0, 0), sigma) if sigma else luma
    assert blur_effect(luma) == pytest.approx(reference_blur(luma.astype(float), h_size=11), abs=0.02)


def test_blur_grows_with_blurring_and_not_with_light() -> None:
    image = textured()
    series = [measured(cv2.GaussianBlur(image, (0, 0), sigma))["blur"] for sigma in (0.5, 1.0, 2.0, 4.0)]
    assert series == sorted(series)
    assert series[-1] - series[0] > 0.2
    darker = (image * 0.6).astype(np.uint8)
    assert abs(measured(darker)["blur"] - measured(image)["blur"]) < 0.05
    assert blur_effect(np.full((64, 64), 90, np.uint8)) == 1.0


def test_exposure_and_clipping_are_those_of_the_face_and_not_of_what_is_around() -> None:
    face = np.full((128, 128, 3), 51, np.uint8)
    face[:16] = face[-16:] = 255
    assert measured(face)["exposure"] == pytest.approx(0.2, abs=0.01)
    assert measured(face)["clipped"] == 0.0
    face[:, :64] = 255
    assert measured(face)["clipped"] == pytest.approx(0.5, abs=0.03)
    assert measured(np.zeros_like(face))["clipped"] == 1.0


def test_what_passes_in_front_of_a_face_is_its_occlusion() -> None:
    frames = [textured(seed) for seed in range(12)]
    usual = usual_of(frames)
    assert all(measured(frame, usual)["occlusion"] < 0.03 for frame in frames)
    hidden = frames[0].copy()
    hidden[64:] = (40, 60, 160)
    assert measured(hidden, usual)["occlusion"] == pytest.approx(0.5, abs=0.08)
    assert np.isnan(measured(hidden)["occlusion"])


def test_light_that_changes_is_no_occlusion() -> None:
    frames = [textured(seed) for seed in range(12)]
    dimmed = (frames[0] * 0.85).astype(np.uint8)
    assert measured(dimmed, usual_of(frames))["occlusion"] < 0.05


def test_short_clips_have_no_usual_colours_and_long_ones_cost_no_more_memory() -> None:
    colours = FaceColours()
    for number in range(7):
        colours.offer(textured(number), BOX)
    assert colours.usual() is None
    image = textured()
    for _ in range(2000):
        colours.offer(image, BOX)
    assert 8 <= len(colours.patches) <= colours.most


def test_a_face_beyond_the_border_is_measured() -> None:
    row = quality(textured(), Box(-40, -20, 60, 80), face_size=100.0)
    assert 0 <= row.blur <= 1
    assert row.face_size == 100.0
