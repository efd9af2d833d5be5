"""Building blocks that several systems share: critics on several scales, residual blocks, widths by picture size."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from reenact.nn.multiscale import MultiScale, NLayerDiscriminator, scores
from reenact.nn.residual import ResDown, Stable
from reenact.systems.width import halvings_for, width_for


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(("channels", "count"), [(6, 2_767_809), (9, 2_770_881)])
def test_one_discriminator_has_the_published_count(channels, count):
    with torch.device("meta"):
        assert parameters(NLayerDiscriminator(channels, width=64)) == count
        assert parameters(MultiScale(channels, width=64, scales=2)) == 2 * count


def test_every_scale_sees_half_the_side_of_the_one_before():
    network = MultiScale(6, width=4, scales=2)
    image = torch.rand(2, 6, 64, 64)
    seen = network(image)
    assert [tuple(layer.shape[1:]) for layer in seen[0]] == [
        (4, 33, 33), (8, 17, 17), (16, 9, 9), (32, 10, 10), (1, 11, 11)
    ]  # fmt: skip
    half = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
    torch.testing.assert_close(seen[1][-1], network.scales[1](half)[-1])
    assert [map_.shape[1] for map_ in scores(seen)] == [1, 1]
    assert min(map_.min() for map_ in scores(seen)) < 0  # no sigmoid


def test_res_down_halves_and_equals_its_two_paths_written_out():
    torch.manual_seed(0)
    block = ResDown(3, 8, kernel=9).eval()
    x = torch.rand(2, 3, 16, 16)
    conv = lambda layer, value, pad: F.conv2d(value, layer.normalised(), layer.bias, padding=pad)  # noqa: E731
    right = F.avg_pool2d(conv(block.second, conv(block.first, x.relu(), 4).relu(), 4), 2)
    left = F.avg_pool2d(conv(block.shortcut, x, 0), 2)
    torch.testing.assert_close(block(x), right + left, rtol=1e-4, atol=1e-5)
    for layer in (block.first, block.second, block.shortcut):
        assert torch.linalg.matrix_norm(layer.normalised().flatten(1), ord=2).item() == pytest.approx(1, abs=0.2)


def test_stable_keeps_the_side_and_adds_a_tenth():
    block = Stable(4, 4)
    x = torch.randn(2, 4, 8, 8)
    inner = block.second(F.leaky_relu(block.first(F.leaky_relu(x, 0.2)), 0.2))
    torch.testing.assert_close(block(x), x + inner / 10)
    assert Stable(9, 64)(torch.rand(1, 9, 8, 8)).shape == (1, 64, 8, 8)


@pytest.mark.parametrize(
    ("size", "width", "halvings"), [(256, 64, 4), (224, 64, 4), (128, 40, 3), (64, 16, 2), (32, 8, 1)]
)
def test_widths_and_halvings_follow_the_picture(size, width, halvings):
    assert (width_for(size), halvings_for(size)) == (width, halvings)


@given(st.integers(16, 512), st.integers(16, 512))
def test_a_larger_picture_never_has_a_smaller_network(a, b):
    small, large = sorted((a, b))
    assert 8 <= width_for(small) <= width_for(large) <= 64
    assert 1 <= halvings_for(small) <= halvings_for(large) <= 4
