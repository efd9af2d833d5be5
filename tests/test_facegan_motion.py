"""FACEGAN's motion of a face: what it is made of, what moves landmarks by it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from reenact.errors import BadInput
from reenact.faces.batch import Faces
from reenact.losses.landmarks import action_distance, connectivity, reconstruction
from reenact.nn.mlp import mlp
from reenact.systems.facegan.action_reader import ActionReader
from reenact.systems.facegan.landmark_transformer import LandmarkTransformer, placed
from reenact.systems.facegan.motion import motion


def some_faces(*shape):
    torch.manual_seed(0)
    return Faces(
        image=torch.rand(*shape, 3, 8, 8) * 2 - 1,
        landmarks=torch.rand(*shape, 68, 2),
        actions=torch.rand(*shape, 17) * 5,
        pose=torch.rand(*shape, 3) * 60 - 30,
        segments=torch.zeros(*shape, 128, 128, dtype=torch.uint8),
    )


@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_motion_is_intensities_in_0_to_1_and_angles_in_quarter_turns(shape):
    faces = some_faces(*shape)
    found = motion(faces).numpy()
    assert found.shape == (*shape, 20)
    np.testing.assert_allclose(found[..., :17], faces.actions.numpy() / 5, rtol=1e-6)
    np.testing.assert_allclose(found[..., 17:], np.radians(faces.pose.numpy()) / (np.pi / 2), rtol=1e-5)


@pytest.mark.parametrize("missing", ["actions", "pose"])
def test_faces_without_labels_are_said_to_lack_them(missing):
    faces = replace(some_faces(2), **{missing: None})
    with pytest.raises(BadInput, match=rf"without {missing} .*label_actions"):
        motion(faces)


def test_an_mlp_is_its_layers_with_leaky_relus_between():
    torch.manual_seed(0)
    net = mlp((3, 5, 4, 2), slope=0.3)
    x = torch.randn(6, 3)
    wanted = x.numpy()
    linears = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    for place, layer in enumerate(linears):
        wanted = wanted @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        if place < 2:
            wanted = np.where(wanted > 0, wanted, 0.3 * wanted)
    np.testing.assert_allclose(net(x).detach().numpy(), wanted, rtol=1e-4, atol=1e-6)


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def layered(*sizes):
    return sum((a + 1) * b for a, b in pairwise(sizes))


def extent(points):
    return np.ptp(points, axis=0).max()


def test_networks_have_the_sizes_that_the_documents_give():
    assert count(ActionReader()) == layered(136, 256, 128, 20)
    assert count(LandmarkTransformer()) == layered(156, 256, 512, 512, 256, 136)


def test_an_untrained_transformer_moves_nothing():
    faces = some_faces(4)
    assert torch.equal(LandmarkTransformer()(faces.landmarks, motion(faces)), faces.landmarks)


def test_a_shift_of_the_layers_is_half_as_large_in_the_crop():
    """The layers count in [-1, 1]."""
    faces, transformer = some_faces(2), LandmarkTransformer()
    torch.nn.init.constant_(transformer.layers[-1].bias, 0.2)
    torch.testing.assert_close(transformer(faces.landmarks, motion(faces)), faces.landmarks + 0.1)


def test_the_transformer_learns_from_all_its_losses_through_a_reader_that_stays():
    faces, wanted = some_faces(4), some_faces(8)[4:]
    torch.manual_seed(1)
    transformer, reader = LandmarkTransformer(), ActionReader().requires_grad_(False)
    start = {name: weight.clone() for name, weight in transformer.state_dict().items()}
    terms = {
        "reconstruction": lambda moved: reconstruction(moved, wanted.landmarks, faces.landmarks, regular=1e-3),
        "actions": lambda moved: action_distance(reader(moved), motion(wanted)),
        "connectivity": lambda moved: connectivity(moved, 0.9 * faces.landmarks),
    }
    for term in terms.values():
        transformer.load_state_dict(start)
        adam = torch.optim.Adam(transformer.parameters(), lr=1e-3)
        values = []
        for _ in range(30):
            loss = term(transformer(faces.landmarks, motion(wanted)))
            adam.zero_grad()
            loss.backward()
            adam.step()
            values.append(loss.item())
        assert values[-1] < 0.95 * values[0]
        # after the first step, from the zero last layer on, each layer learns
        assert all(weight.grad.abs().sum() > 0 for weight in transformer.parameters())


def test_the_action_reader_learns_what_landmarks_say_of_actions():
    torch.manual_seed(0)
    reader, landmarks = ActionReader(), torch.rand(64, 68, 2)
    wanted = landmarks.flatten(1)[:, :20]
    adam = torch.optim.Adam(reader.parameters(), lr=3e-3)
    first = action_distance(reader(landmarks), wanted).item()
    for _ in range(100):
        loss = action_distance(reader(landmarks), wanted)
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss.item() < 0.2 * first
    assert reader(landmarks).shape == (64, 20)


def test_a_moved_face_stands_where_the_drivers_does_as_large_and_an_edited_one_stays():
    faces = some_faces(4)
    moved, driving = 0.3 * faces.landmarks + 0.1, some_faces(8).landmarks[4:]
    own = faces.landmarks.clone()
    driving[1] = own[1]  # an edit of its own motion
    driving[2] = float("nan")
    driving[3, 40] = float("nan")
    found = placed(moved, driving, own).numpy()
    np.testing.assert_allclose(found[0, 28], driving[0, 28].numpy(), rtol=1e-5)
    assert extent(found[0]) == pytest.approx(extent(driving[0].numpy()), rel=1e-5)
    shape = (found[0] - found[0, 28]) / extent(found[0])
    np.testing.assert_allclose(shape, (moved[0] - moved[0, 28]).numpy() / extent(moved[0].numpy()), atol=1e-5)
    np.testing.assert_array_equal(found[1:], moved[1:].numpy())
