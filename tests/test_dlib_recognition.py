"""dlib's recognition network run by torch answers as dlib does."""

import cv2
import dlib
import numpy as np
import pytest
from skimage import data

from reenact.backbones.dlib_recognition import DlibNetwork
from reenact.errors import BadInput
from reenact.labelling.dlib_backend import LANDMARKS_FILE, RECOGNITION_FILE, DlibRecognition, model_file


def test_its_numbers_are_dlibs_on_a_photograph_and_on_noise():
    picture = cv2.resize(data.astronaut()[:256, 96:352], (256, 256))
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    box = dlib.get_frontal_face_detector()(gray, 1)[0]
    parts = dlib.shape_predictor(str(model_file(LANDMARKS_FILE)))(gray, box).parts()
    landmarks = np.array([[part.x + 0.5, part.y + 0.5] for part in parts])
    noise = np.random.default_rng(0).integers(0, 255, picture.shape, dtype=np.uint8)
    ours, theirs = DlibNetwork(model_file(RECOGNITION_FILE)), DlibRecognition()
    for image, points in ((picture, landmarks), (noise, landmarks[:, ::-1] * 0.7 + 20)):
        expected = theirs(image, points)
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(ours(image, points), expected, atol=2e-6)


def test_a_file_of_something_else_is_named(tmp_path):
    file = tmp_path / "other.dat"
    file.write_bytes(bytes(1000))
    with pytest.raises(BadInput, match=r"other.dat: not dlib's recognition network"):
        DlibNetwork(file)
