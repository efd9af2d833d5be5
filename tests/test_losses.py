"""Every loss term against NumPy in float64, written from the formulas of the source document."""

import numpy as np
import pytest
import torch

from reenact.alarms.critic_balance import EVEN
from reenact.losses.adversarial import real_or_fake, towards_real
from reenact.losses.consistency import self_consistency, triple_consistency
from reenact.losses.feature_matching import feature_matching
from reenact.losses.hinge import EVEN as HINGE_EVEN
from reenact.losses.hinge import critic_hinge, generator_hinge
from reenact.losses.identity import identity
from reenact.losses.least_squares import EVEN as SQUARES_EVEN
from reenact.losses.least_squares import critic_least_squares, generator_least_squares
from reenact.losses.perceptual import gram, layered, normalised, perceptual
from reenact.losses.pixel import pixel
from reenact.losses.terms import Terms


@pytest.fixture
def two():
    random = np.random.default_rng(0)
    a, b = random.uniform(-1, 1, (2, 4, 3, 16, 16))
    return (a, b), (torch.from_numpy(a), torch.from_numpy(b))


def test_adversarial_terms_are_cross_entropy_on_probabilities():
    random = np.random.default_rng(1)
    real, fake = random.uniform(0.05, 0.95, (2, 7))
    wanted = -(np.log(real).sum() + np.log(1 - fake).sum()) / 14
    assert real_or_fake(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(wanted, rel=1e-5)
    assert towards_real(torch.tensor(fake)).item() == pytest.approx(-np.log(fake).mean(), rel=1e-5)
    both = torch.nn.functional.binary_cross_entropy(
        torch.tensor(np.concatenate([real, fake])), torch.tensor([1.0] * 7 + [0.0] * 7, dtype=torch.float64)
    )
    assert real_or_fake(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(both.item(), rel=1e-5)


def test_a_certain_discriminator_leaves_losses_and_gradients_finite():
    probability = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = towards_real(probability) + real_or_fake(probability, probability)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(probability.grad).all()


def test_pixel_is_the_mean_square(two):
    (a, b), (A, B) = two
    assert pixel(A, B).item() == pytest.approx(((a - b) ** 2).mean(), rel=1e-9)


@pytest.mark.parametrize("loss", [self_consistency, triple_consistency])
def test_consistency_squares_the_mean_distance_of_each_image(loss, two):
    (a, b), (A, B) = two
    wanted = np.mean([np.abs(x - y).mean() ** 2 for x, y in zip(a, b, strict=True)])
    assert loss(A, B).item() == pytest.approx(wanted, rel=1e-9)


def test_triple_consistency_pulls_on_both_branches(two):
    _, (A, B) = two
    A.requires_grad_(), B.requires_grad_()
    triple_consistency(A, B).backward()
    assert A.grad.abs().sum() > 0
    assert B.grad.abs().sum() > 0


def test_gram_is_made_of_each_image_on_its_own():
    x = np.random.default_rng(2).normal(size=(3, 5, 4, 6))
    wanted = [np.einsum("chw,dhw->cd", one, one) / (5 * 4 * 6) for one in x]
    np.testing.assert_allclose(gram(torch.from_numpy(x)).numpy(), wanted, rtol=1e-4, atol=1e-6)


def some_maps(seed, batch=3):
    random = np.random.default_rng(seed)
    return [random.normal(size=(batch, 4 * 2**i, 16 // 2**i, 16 // 2**i)) for i in range(4)]


def test_perceptual_sums_layers_and_the_style_of_the_third():
    a, b = some_maps(3), some_maps(4)
    wanted = sum(np.abs(x - y).mean() for x, y in zip(a, b, strict=True))
    C, H, W = a[2].shape[1:]
    styles = []
    for x, y in zip(a[2], b[2], strict=True):
        fx, fy = x.reshape(C, -1), y.reshape(C, -1)
        styles.append(np.sqrt((((fx @ fx.T - fy @ fy.T) / (C * H * W)) ** 2).sum()))
    wanted += np.mean(styles)
    made = perceptual([torch.from_numpy(x) for x in a], [torch.from_numpy(y) for y in b])
    assert made.item() == pytest.approx(wanted, rel=1e-5)


def test_losses_of_a_batch_are_the_mean_of_its_images(two):
    _, (A, B) = two
    maps = [[torch.from_numpy(x) for x in some_maps(seed)] for seed in (5, 6)]
    for loss, a, b in ((pixel, A, B), (self_consistency, A, B), (identity, A, B)):
        alone = torch.stack([loss(x[None], y[None]) for x, y in zip(a, b, strict=True)]).mean()
        torch.testing.assert_close(loss(a, b).double(), alone.double(), rtol=1e-5, atol=1e-7)
    one_by_one = [perceptual([x[i : i + 1] for x in maps[0]], [y[i : i + 1] for y in maps[1]]) for i in range(3)]
    torch.testing.assert_close(perceptual(*maps), torch.stack(one_by_one).mean(), rtol=1e-5, atol=1e-7)


def test_equal_pictures_cost_nothing_and_have_no_wild_gradient():
    maps = [torch.from_numpy(x).float().requires_grad_() for x in some_maps(7)]
    loss = perceptual(maps, [x.detach().clone() for x in maps]) + identity(maps[0], maps[0].detach())
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(x.grad).all() for x in maps)


def test_a_term_of_weight_zero_is_never_computed():
    def forbidden():
        raise AssertionError("computed")

    total, values = Terms(a=(2.0, lambda: torch.tensor(3.0)), b=(0.0, forbidden)).total()
    assert total.item() == 6
    assert values.keys() == {"a"}


def two_scales(seed):
    """Scores of two scales, as NumPy and as torch."""
    random = np.random.default_rng(seed)
    arrays = [random.normal(0, 1.5, (3, 1, 5, 5)), random.normal(0, 1.5, (3, 1, 3, 3))]
    return arrays, [torch.from_numpy(array) for array in arrays]


def test_hinge_follows_the_formula_on_each_scale():
    (real, torch_real), (fake, torch_fake) = two_scales(2), two_scales(3)
    wanted = np.mean(
        [np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean() for r, f in zip(real, fake, strict=True)]
    )
    assert critic_hinge(torch_real, torch_fake).item() == pytest.approx(wanted, rel=1e-5)
    assert generator_hinge(torch_fake).item() == pytest.approx(-np.mean([f.mean() for f in fake]), rel=1e-5)
    nothing = [torch.zeros(2, 1, 4, 4)]
    assert critic_hinge(nothing, nothing).item() == HINGE_EVEN == EVEN["hinge"]


def test_least_squares_follows_the_formula_on_each_scale():
    (real, torch_real), (fake, torch_fake) = two_scales(4), two_scales(5)
    wanted = np.mean([((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2 for r, f in zip(real, fake, strict=True)])
    assert critic_least_squares(torch_real, torch_fake).item() == pytest.approx(wanted, rel=1e-5)
    wanted = np.mean([((f - 1) ** 2).mean() for f in fake])
    assert generator_least_squares(torch_fake).item() == pytest.approx(wanted, rel=1e-5)
    half = [torch.full((2, 1, 4, 4), 0.5)]
    assert critic_least_squares(half, half).item() == generator_least_squares(half).item() == SQUARES_EVEN
    assert EVEN["least_squares"] == SQUARES_EVEN


def test_feature_matching_leaves_out_the_scores_and_stops_the_real_pictures_gradient():
    random = np.random.default_rng(6)
    shapes = [[(2, 4, 8, 8), (2, 8, 4, 4), (2, 1, 3, 3)], [(2, 4, 4, 4), (2, 8, 2, 2), (2, 1, 2, 2)]]
    real, fake = ([[random.normal(size=shape) for shape in scale] for scale in shapes] for _ in range(2))
    layers = [
        [np.abs(a - b).mean() for a, b in zip(r[:-1], f[:-1], strict=True)] for r, f in zip(real, fake, strict=True)
    ]
    ours = [[[torch.from_numpy(a).requires_grad_() for a in scale] for scale in side] for side in (real, fake)]
    loss = feature_matching(*ours)
    assert loss.item() == pytest.approx(np.mean([sum(scale) for scale in layers]), rel=1e-5)
    loss.backward()
    assert all(a.grad is None for scale in ours[0] for a in scale)
    assert all((a.grad is not None) == (a is not scale[-1]) for scale in ours[1] for a in scale)


def test_layered_perceptual_weighs_later_layers_more():
    random = np.random.default_rng(7)
    fake, target = ([random.normal(size=(2, 4, side, side)) for side in (16, 8, 4, 2, 1)] for _ in range(2))
    weights = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]
    wanted = sum(w * np.abs(a - b).mean() for w, a, b in zip(weights, fake, target, strict=True))
    value = layered([torch.from_numpy(a) for a in fake], [torch.from_numpy(b) for b in target])
    assert value.item() == pytest.approx(wanted, rel=1e-5)


def test_normalised_perceptual_divides_each_layer_by_its_elements_and_stops_the_real_pictures_gradient():
    fake, target = some_maps(8), some_maps(9)
    wanted = np.mean([
        sum(np.abs(a[n] - b[n]).sum() / a[n].size for a, b in zip(fake, target, strict=True)) for n in range(3)
    ])  # fmt: skip
    ours, theirs = ([torch.from_numpy(each).requires_grad_() for each in maps] for maps in (fake, target))
    value = normalised(ours, theirs)
    assert value.item() == pytest.approx(wanted, rel=1e-5)
    value.backward()
    assert all(each.grad is not None for each in ours)
    assert all(each.grad is None for each in theirs)
