"""What people give a system: each way of going wrong is one sentence."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reenact.errors import BadInput, SettingsError
from reenact.faces.batch import Faces
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.given import check_sources, reenact, tensor_of
from reenact.systems.protocol import exact_sources

SIZE = 32


class Mean:
    """Draws the mean of its sources."""

    size = SIZE

    def reenact(self, sources, driving):
        return sources.image.mean(dim=1)


def faces(*shape, size=SIZE):
    random = torch.Generator().manual_seed(len(shape))
    return Faces(
        image=torch.rand(*shape, 3, size, size, generator=random) * 2 - 1,
        landmarks=torch.rand(*shape, 68, 2, generator=random),
    )


def with_landmarks(given, place, value):
    landmarks = given.landmarks.clone()
    landmarks[place] = value
    return replace(given, landmarks=landmarks)


def test_what_is_in_order_is_drawn():
    sources = faces(2, 3)
    assert torch.equal(reenact(Mean(), sources, faces(2)), sources.image.mean(dim=1))


WRONG = {
    "none": (lambda: faces(2, 0), "no source picture"),
    "other size": (lambda: faces(2, 3, size=16), "16 x 16 px, and this system draws at 32 x 32. Resize"),
    "no batch": (lambda: faces(3), r"expected \(B, K, 3, 32, 32\), got \(3, 3, 32, 32\)"),
    "bytes": (lambda: replace(faces(2, 3), image=faces(2, 3).image * 255), "Divide bytes by 127.5"),
    "not a number": (lambda: replace(faces(2, 3), image=faces(2, 3).image * float("nan")), "expected values in"),
    "not found": (
        lambda: with_landmarks(faces(2, 3), (1, 2), float("nan")),
        "picture 2 of sample 1 .* no face was found",
    ),
    "all zero": (lambda: with_landmarks(faces(2, 3), (0,), 0.0), r"picture 0 of sample 0 .*\(3 such pictures in all\)"),
    "too few landmarks": (lambda: replace(faces(2, 3), landmarks=faces(2, 2).landmarks), "one set for each picture"),
}


@pytest.mark.parametrize("name", WRONG)
def test_sources_that_can_not_be_used_are_refused_in_a_sentence(name):
    make, sentence = WRONG[name]
    with pytest.raises(BadInput, match=sentence) as caught:
        reenact(Mean(), make(), faces(2))
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=sentence):
        check_sources(make(), size=SIZE)


def test_drivers_without_a_face_or_of_another_number_are_refused():
    with pytest.raises(BadInput, match=r"driving landmarks: sample 1 .* no face was found"):
        reenact(Mean(), faces(2, 3), with_landmarks(faces(2), (1, 7), float("nan")))
    with pytest.raises(BadInput, match="driving landmarks: expected"):
        reenact(Mean(), faces(2, 3), faces(3))
    blind = replace(faces(2), image=torch.full((2, 3, SIZE, SIZE), float("nan")))
    assert reenact(Mean(), faces(2, 3), blind).isfinite().all()


def test_lists_of_pictures_become_one_batch_where_they_are_alike():
    pictures = [[np.full((3, SIZE, SIZE), sample + place / 10) for place in range(2)] for sample in (0, -1)]
    batch = tensor_of(pictures)
    assert batch.shape == (2, 2, 3, SIZE, SIZE)
    assert batch.dtype == torch.float32
    assert batch[1, 1, 0, 0, 0] == pytest.approx(-0.9)
    assert torch.equal(tensor_of(np.array(pictures)), batch)
    with pytest.raises(BadInput, match=r"different sizes \(16 x 16, 32 x 32 px\)"):
        tensor_of([[pictures[0][0], np.zeros((3, 16, 16))]])
    with pytest.raises(BadInput, match="samples of 1 to 2 pictures"):
        tensor_of([pictures[0], pictures[1][:1]])
    with pytest.raises(BadInput, match="no source picture"):
        check_sources(SimpleNamespace(image=tensor_of([[], []])), size=SIZE)


def several():
    return [name for name, card in SYSTEMS.items() if "sources" in card.settings.model_fields]


@pytest.mark.parametrize("name", several())
def test_no_source_at_all_is_refused_for_every_system_in_settings_and_in_use(name):
    with pytest.raises(SettingsError, match=rf"systems\.{name}\.sources: .*greater than or equal to 1"):
        build_system(name, "full", {"sources": 0}, size=64, features=None)
    system = build_system(name, "full", {"sources": 2}, size=64, features=None).eval()
    with pytest.raises(BadInput, match="no source picture"):
        reenact(system, faces(1, 0, size=64), faces(1, size=64))
    with torch.no_grad():
        for count in (1, 2, 3):
            drawn = pytest.raises(BadInput, match="2") if exact_sources(system) and count != 2 else None
            if drawn is None:
                assert reenact(system, faces(1, count, size=64), faces(1, size=64)).shape == (1, 3, 64, 64)
            else:
                with drawn:
                    reenact(system, faces(1, count, size=64), faces(1, size=64))
