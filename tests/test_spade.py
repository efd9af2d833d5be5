"""SPADE and the spectrally normalised convolution against their definitions and torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from reenact.nn.spade import Spade, SpadeResidual, conv_enlarged
from reenact.nn.spectral import SpectralConv


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("small", "large"), [(4, 4), (4, 8), (4, 12), (4, 16), (8, 2), (6, 9)])
def test_a_convolution_of_an_enlarged_picture_needs_no_enlarged_picture(small, large, kernel):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, padding=kernel // 2)
    e = torch.randn(2, 3, small, small, requires_grad=True)
    weights = (e, conv.weight, conv.bias)
    wanted = conv(F.interpolate(e, size=(large, large), mode="nearest"))
    found = conv_enlarged(conv, e, large)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    slope = torch.randn_like(wanted)
    for a, b in zip(
        torch.autograd.grad(found, weights, slope), torch.autograd.grad(wanted, weights, slope), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_spade_is_normalise_scale_and_shift():
    torch.manual_seed(0)
    layer = Spade(6, 4)
    x, e = 3 * torch.randn(2, 6, 8, 8) + 2, torch.randn(2, 4, 4, 4)
    hidden = F.relu(layer.shared(F.interpolate(e, size=(8, 8), mode="nearest")))
    gamma, beta = layer.modulation(hidden)[:, :6], layer.modulation(hidden)[:, 6:]
    mean, variance = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, unbiased=False)
    wanted = (x - mean) / (variance + 1e-5).sqrt() * (1 + gamma) + beta
    torch.testing.assert_close(layer(x, e), wanted, rtol=1e-4, atol=1e-5)


def test_a_spade_block_adds_its_shortcut_normalised_only_where_widths_differ():
    torch.manual_seed(0)
    x, e = torch.randn(2, 6, 8, 8), torch.randn(2, 4, 4, 4)
    for out in (6, 3):
        block = SpadeResidual(6, out, 4).eval()
        conv = lambda layer, value: F.conv2d(  # noqa: E731
            value, layer.normalised(), layer.bias, padding=layer.padding
        )
        y = conv(block.first, F.leaky_relu(block.first_norm(x, e), 0.2))
        y = conv(block.second, F.leaky_relu(block.second_norm(y, e), 0.2))
        wanted = y + (x if out == 6 else conv(block.shortcut, block.shortcut_norm(x, e)))
        torch.testing.assert_close(block(x, e), wanted)


def test_the_spectral_convolution_does_what_torchs_does_step_by_step():
    torch.manual_seed(0)
    ours = SpectralConv(3, 8, 3, padding=1)
    plain = nn.Conv2d(3, 8, 3, padding=1)
    plain.load_state_dict({name: ours.state_dict()[name] for name in ("weight", "bias")})
    theirs = spectral_norm(plain)
    vectors = theirs.parametrizations.weight[0]
    vectors._u, vectors._v = ours.left.clone(), ours.right.clone()
    x = torch.randn(2, 3, 8, 8)
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        a, b = ours(x), theirs(x)
        torch.testing.assert_close(a, b)
        slope = torch.randn_like(a)
        torch.testing.assert_close(
            torch.autograd.grad(a, ours.weight, slope)[0],
            torch.autograd.grad(b, theirs.parametrizations.weight.original, slope)[0],
        )


def test_a_fresh_spectral_convolution_knows_its_largest_singular_value():
    torch.manual_seed(0)
    conv = SpectralConv(8, 16, 3).eval()
    nn.init.normal_(conv.weight, std=5.0)
    conv.settle()
    assert torch.linalg.matrix_norm(conv.normalised().flatten(1), ord=2).item() == pytest.approx(1, abs=0.1)
