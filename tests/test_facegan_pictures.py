"""FACEGAN's face reenactor and background mixer: shapes, sizes, what is removed, and what stays as it was given."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reenact.errors import BadInput
from reenact.faces.batch import Faces
from reenact.faces.segments import foreground, segments_at, segments_of
from reenact.systems.facegan.background_mixer import BackgroundMixer, background_of
from reenact.systems.facegan.reenactor import Reenactor, drawn_foreground, without_background
from reenact.systems.width import halvings_for, width_for

PUBLISHED = {"width": 64, "halvings": 4, "blocks": 9}
SMALL = {"width": 4, "halvings": 1, "blocks": 1}


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def pictures(*shape, seed=0, size=64):
    """Noise of 8 bits in [-1, 1]."""
    random = np.random.default_rng(seed)
    return torch.from_numpy((random.integers(0, 256, (*shape, 3, size, size)) / 127.5 - 1).astype(np.float32))


def discs(*radii, size=128, centre=0.5):
    """Segments: hair around a face, which has half of the radius."""
    grid = (torch.arange(size) + 0.5) / size - centre
    distance = (grid[:, None].square() + grid.square()).sqrt()
    return torch.stack([(2 * (distance < r).byte() - (distance < r / 2).byte()) for r in radii])


# ---- sizes


def generator_count(channels, width, halvings, blocks):
    """Weights and biases of the official layers."""
    widths = [width * 2**level for level in range(halvings + 1)]
    convolutions = [(channels, width, 7), *[(widths[-1], widths[-1], 3)] * (2 * blocks), (width, 3, 7)]
    convolutions += 2 * [(a, b, 3) for a, b in pairwise(widths)]
    biases = sum(widths[:-1]) - sum(widths[1:])  # the way up has the smaller ones
    return sum(a * b * k * k + b for a, b, k in convolutions) + biases


@pytest.mark.parametrize("size", [64, 256])
def test_networks_have_the_size_that_the_picture_asks_for(size):
    sizes = {"width": width_for(size), "halvings": halvings_for(size), "blocks": 9}
    assert sizes == (PUBLISHED if size == 256 else {"width": 16, "halvings": 2, "blocks": 9})
    width = sizes["width"]
    with torch.device("meta"):
        reenactor, mixer = Reenactor(**sizes), BackgroundMixer(**sizes)
        face = reenactor(torch.zeros(2, 3, size, size), torch.zeros(2, 1, size, size))
        mixed = mixer(face.image, torch.zeros(2, 3, size, size), shown=drawn_foreground(face.segments, hard=True))
    assert parameters(reenactor) == generator_count(4, **sizes) + width * width * 9 + width + width * 3 * 9 + 3
    assert parameters(mixer) == generator_count(6, **sizes) + width * 49 + 1
    assert face.image.shape == face.segments.shape == mixed.image.shape == mixed.colour.shape == (2, 3, size, size)
    assert mixed.mask.shape == (2, 1, size, size)


def test_published_counts():
    with torch.device("meta"):
        reenactor, mixer = Reenactor(**PUBLISHED), BackgroundMixer(**PUBLISHED)
    assert (parameters(reenactor.generator), parameters(reenactor.segmenter)) == (182_446_403, 38_659)
    assert (parameters(mixer.generator), parameters(mixer.mask)) == (182_452_675, 3_137)


# ---- the reenactor


def test_picture_and_segments_come_from_the_same_last_features():
    torch.manual_seed(0)
    network = Reenactor(**SMALL)
    source, drawing = pictures(2), torch.rand(2, 1, 64, 64)
    face = network(source, drawing)
    features = network.generator.features(torch.cat([source, drawing], dim=1))
    torch.testing.assert_close(face.image, network.generator.head(features))
    torch.testing.assert_close(face.segments, network.segmenter(features))
    assert face.image.abs().max() <= 1
    face.segments.square().sum().backward()
    assert network.generator.trunk[1].weight.grad.abs().sum() > 0


def test_weights_begin_as_published():
    network = Reenactor(width=32, halvings=1, blocks=1)
    weights = torch.cat(
        [m.weight.detach().flatten() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    )
    assert weights.std().item() == pytest.approx(0.02, rel=0.03)


def test_the_background_is_removed_softly_by_its_probability_and_hard_by_the_likeliest_part():
    random = np.random.default_rng(1)
    scores, image = (
        torch.from_numpy(random.normal(0, 2, (2, 3, 8, 8))),
        torch.from_numpy(random.normal(size=(2, 3, 8, 8))),
    )
    probability = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(axis=1, keepdims=True)
    soft = without_background(image, scores, hard=False).numpy()
    np.testing.assert_allclose(soft, image.numpy() * (1 - probability[:, :1]), rtol=1e-9, atol=1e-12)
    hard = without_background(image, scores, hard=True)
    kept = probability.argmax(axis=1) != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_array_equal(hard.numpy(), np.where(kept[:, None], image.numpy(), 0.0))


def test_soft_removal_teaches_the_segments_and_hard_removal_the_picture_alone():
    image, scores = torch.ones(1, 3, 4, 4, requires_grad=True), torch.zeros(1, 3, 4, 4, requires_grad=True)
    without_background(image, scores, hard=False).sum().backward()
    assert scores.grad[:, 0].max() < 0
    assert scores.grad[:, 1:].min() > 0
    kept = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4).clone().requires_grad_()
    made = without_background(image, kept, hard=True)
    assert torch.autograd.grad(made.sum(), [image, kept], allow_unused=True)[1] is None


# ---- true segments


def test_segments_of_another_side_are_the_nearest_ones():
    truth = torch.from_numpy(np.random.default_rng(2).integers(0, 3, (2, 16, 16)).astype(np.uint8))
    blown_up = truth.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    assert torch.equal(segments_at(blown_up, 16), truth)
    assert torch.equal(segments_at(truth, 128), blown_up)
    assert segments_at(truth, 16).dtype == torch.uint8
    # of 3 pixels, the centres of 2 lie in the first and the last
    assert segments_at(torch.tensor([[0, 1, 2]] * 3), 2).tolist() == [[0, 2], [0, 2]]


def test_faces_without_segments_are_said_to_lack_them():
    with pytest.raises(BadInput, match=r"without segments .*label_segments"):
        segments_of(Faces(image=pictures(1), landmarks=torch.zeros(1, 68, 2)))


def test_a_background_keeps_its_pixels_and_has_0_where_face_and_hair_were():
    image, segments = pictures(2), discs(0.2, 0.4)
    background = background_of(image, segments)
    seen = segments_at(segments, 64) > 0
    assert torch.equal(foreground(segments, 64)[:, 0], seen.float())
    for n in range(2):
        for i in range(64):
            removed = seen[n, i]
            assert (background[n, :, i, removed] == 0).all()
            assert torch.equal(background[n, :, i, ~removed], image[n, :, i, ~removed])
    assert torch.equal(background_of(image, segments_at(segments, 64)), background)


# ---- the mixer


def a_mixer(seed=0):
    """One that is no longer as it began: colours and masks of any value."""
    torch.manual_seed(seed)
    network = BackgroundMixer(**SMALL)
    nn.init.normal_(network.mask[1].weight, 0.0, 0.5)
    nn.init.normal_(network.generator.head[1].weight, 0.0, 0.1)
    return network


def test_the_result_is_mask_times_colour_and_the_rest_of_the_background():
    mixer, face, background = a_mixer(), pictures(2), pictures(2, seed=1)
    for shown in (None, foreground(discs(0.3, 0.2), 64)):
        mixed = mixer(face, background, shown=shown)
        assert torch.equal(mixed.image, mixed.mask * mixed.colour + (1 - mixed.mask) * background)
        assert mixed.image.abs().max() <= 1 + 1e-6
        assert mixed.colour.abs().max() <= 1
        assert (mixed.mask.min(), mixed.mask.max()) == (0, 1)


def test_a_mask_between_its_ends_is_the_stretched_sigmoid_and_one_that_was_cut_can_come_back():
    mixer, face, background = a_mixer(), pictures(2), pictures(2, seed=1)
    score = mixer.mask(mixer.generator.features(torch.cat([face, background], dim=1)))
    wanted = (1.2 / (1 + np.exp(-score.detach().double().numpy())) - 0.1).clip(0, 1)
    np.testing.assert_allclose(mixer(face, background).mask.detach().numpy(), wanted, atol=1e-5)
    nn.init.zeros_(mixer.mask[1].weight)
    nn.init.constant_(mixer.mask[1].bias, -3.0)
    mask = mixer(face, background).mask
    assert (mask == 0).all()
    mask.sum().backward()
    assert mixer.mask[1].bias.grad.item() > 0


def test_a_given_picture_comes_out_as_it_is_wherever_no_face_is_drawn():
    """Whatever the network's weights, off the edge by a pixel; 8 bits hold no exact middle grey, so there's no hole."""
    background, segments = pictures(2, seed=1), discs(0.2, 0.3)
    shown = foreground(segments, 64)
    mixed = a_mixer()(pictures(2) * shown, background, shown=shown)
    near = F.max_pool2d(shown, 3, stride=1, padding=1)[:, 0] > 0
    for n in range(2):
        assert torch.equal(mixed.image[n][:, ~near[n]], background[n][:, ~near[n]])
        assert not torch.equal(mixed.image[n][:, near[n]], background[n][:, near[n]])
    assert mixed.mask[:, 0][~near].max() == 0


def test_a_hole_in_the_background_may_be_filled():
    image, segments = pictures(2), discs(0.35, 0.35)
    background = background_of(image, segments)
    shown = foreground(discs(0.1, 0.1), 64)
    mixed = a_mixer()(image * shown, background, shown=shown)
    hole = foreground(segments, 64)[:, 0] > 0
    assert mixed.mask[:, 0][hole].max() == 1
    assert mixed.mask[0, 0, :4].max() == 0


def test_a_hole_that_no_face_covers_shows_what_lies_around_it_from_the_beginning():
    torch.manual_seed(0)
    wall, shown = torch.full((2, 3, 64, 64), 0.6), foreground(discs(0.1, 0.1), 64)
    mixed = BackgroundMixer(**SMALL)(pictures(2) * shown, background_of(wall, discs(0.35, 0.35)), shown=shown)
    off = (shown == 0).expand_as(wall)
    torch.testing.assert_close(mixed.image[off], wall[off])


def test_in_the_beginning_the_drawn_face_lies_on_the_background():
    torch.manual_seed(0)
    shown = foreground(discs(0.2, 0.3), 64)
    face, background = pictures(2) * shown, pictures(2, seed=1)
    mixed = BackgroundMixer(**SMALL)(face, background, shown=shown)
    assert torch.equal(mixed.colour, torch.where(shown > 0, face, background))
    assert (mixed.mask[shown > 0] > 0.95).all()
    pasted = torch.where(shown > 0, face, background)
    near = F.max_pool2d(shown, 3, stride=1, padding=1)
    inside = (near == shown).expand_as(face)
    assert (mixed.image - pasted)[inside].abs().max() < 0.1


def test_soft_and_hard_segments_let_the_mask_in_at_the_same_places_and_get_no_gradient():
    mixer, face, background = a_mixer(), pictures(2), pictures(2, seed=1)
    likely = foreground(discs(0.2, 0.3), 64)
    soft = (0.1 + 0.8 * likely).requires_grad_()
    mixed = mixer(face, background, shown=soft)
    torch.testing.assert_close(mixed.mask, mixer(face, background, shown=likely).mask)
    assert torch.autograd.grad(mixed.image.sum(), soft, allow_unused=True)[0] is None


def test_it_learns_to_fill_a_hole_and_to_leave_the_rest():
    torch.manual_seed(0)
    mixer = BackgroundMixer(width=8, halvings=1, blocks=1)
    wall, moved, hidden = torch.full((1, 3, 32, 32), 0.6), foreground(discs(0.3, centre=0.65), 32), discs(0.3)
    shade = torch.where(foreground(hidden, 32) > 0, -0.2, wall)  # of which nothing around the hole tells
    target, background = torch.where(moved > 0, -wall, shade), background_of(wall, hidden)
    optimiser = torch.optim.Adam(mixer.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = (mixer(target * moved, background, shown=moved).image - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
