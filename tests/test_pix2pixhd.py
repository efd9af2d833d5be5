"""pix2pixHD's networks, its terms, its training with and without an enhancer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reenact.nn.pix2pixhd import GlobalGenerator, LocalEnhancer, halved


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


# ---- generators


@pytest.mark.parametrize(("channels", "count"), [(9, 182_462_083), (36, 182_546_755), (51, 182_593_795)])
def test_parameter_counts_of_the_official_layers(channels, count):
    with torch.device("meta"):
        assert parameters(GlobalGenerator(channels, width=64, halvings=4, blocks=9)) == count


@pytest.mark.parametrize(("size", "halvings"), [(64, 2), (128, 3), (224, 4)])
def test_the_generator_halves_to_its_bottleneck_and_comes_back(size, halvings):
    with torch.device("meta"):
        network = GlobalGenerator(9, width=8, halvings=halvings, blocks=2)
        seen = []
        for layer in network.modules():
            if isinstance(layer, nn.InstanceNorm2d):
                layer.register_forward_hook(lambda _module, _inputs, out: seen.append((out.shape[1], out.shape[-1])))
        out = network(torch.zeros(2, 9, size, size))
        features = network.features(torch.zeros(2, 9, size, size))
    down = [(8 * 2**level, size // 2**level) for level in range(halvings + 1)]
    assert seen[: 2 * halvings + 5] == down + [down[-1]] * 4 + down[-2::-1]
    assert out.shape == (2, 3, size, size)
    assert features.shape == (2, 8, size, size)


def test_a_picture_is_drawn_from_the_features_and_stays_in_range():
    torch.manual_seed(0)
    network = GlobalGenerator(9, width=8, halvings=2, blocks=1)
    x = torch.randn(1, 9, 32, 32)
    weight, bias = network.head[1].weight, network.head[1].bias
    padded = F.pad(network.features(x), (3, 3, 3, 3), mode="reflect")
    torch.testing.assert_close(network(x), F.conv2d(padded, weight, bias).tanh())
    assert network(100 * x).abs().max() <= 1


def test_an_enhancer_adds_its_front_to_the_coarse_features():
    torch.manual_seed(0)
    enhancer = LocalEnhancer(9, width=4, blocks=2)
    x, coarse = torch.randn(2, 9, 64, 64), torch.randn(2, 8, 32, 32)
    assert enhancer(x, coarse).shape == (2, 3, 64, 64)
    assert enhancer.features(x, coarse).shape == (2, 4, 64, 64)
    torch.testing.assert_close(enhancer.back(enhancer.front(x) + coarse), enhancer.features(x, coarse))
    # the official enhancer of width 32 with three blocks, layer by layer
    convolutions = [(9, 32, 7), (32, 64, 3), *[(64, 64, 3)] * 6, (64, 32, 3), (32, 3, 7)]
    with torch.device("meta"):
        assert parameters(LocalEnhancer(9, width=32, blocks=3)) == sum(i * o * k * k + o for i, o, k in convolutions)


def test_halving_takes_means_within_the_picture():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    # the corner sees 2 x 2 pixels, the middle 3 x 3
    assert halved(x)[0, 0, 0, 0] == (0 + 1 + 4 + 5) / 4
    assert halved(x)[0, 0, 1, 1] == (5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15) / 9
