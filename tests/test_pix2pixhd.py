"""pix2pixHD's networks, its terms, its training with and without an enhancer."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.errors import BadInput, SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.nn.beside import first_answers, judged, pyramid
from reenact.nn.multiscale import MultiScale
from reenact.nn.pix2pixhd import GlobalGenerator, LocalEnhancer, halved
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.store import load_system, save_system
from reenact.training.device import make_fabric
from reenact.training.step import adam, specs, train_step
from training_corpus import write_corpus
from training_drill import make_guide, train_branch


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


def test_a_critic_beside_given_channels_is_the_ordinary_one():
    torch.manual_seed(0)
    critic = MultiScale(15 + 3, width=4, scales=3)
    given, pictures = torch.randn(2, 15, 64, 64), torch.randn(4, 3, 64, 64)
    ordinary = critic(torch.cat([given.repeat(2, 1, 1, 1), pictures], dim=1))
    ours = judged(critic, first_answers(critic, pyramid(given, 3)), pictures)
    for wanted, found in zip(ordinary, ours, strict=True):
        for a, b in zip(wanted, found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# ---- the system

SMALL = {"width": 4, "halvings": 1, "blocks": 1, "discriminator_width": 4}


def some_faces(*shape, size=64):
    return Faces(image=torch.rand(*shape, 3, size, size) * 2 - 1, landmarks=torch.rand(*shape, 68, 2))


def some_batch(sources, *, size=64, phase=""):
    torch.manual_seed(0)
    return FaceBatch(sources=some_faces(2, sources, size=size), target=some_faces(2, size=size), phase=phase)


def small(variant="full", *, size=64, **changes):
    torch.manual_seed(1)
    guide = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    return build_system("pix2pixhd", variant, {**SMALL, "sources": 2, **changes}, size=size, features=guide)


def one_step(system, phase, batch):
    """One step of the training loop's, with fresh optimisers; the terms, and the names of networks that changed."""
    fabric = make_fabric(Runtime(threads=1, device="cpu"))
    optimisers = [fabric.setup_optimizers(adam(system, spec)) for spec in specs(phase)]
    before = {name: [w.detach().clone() for w in network.parameters()] for name, network in system.networks.items()}
    values = train_step(system, phase, optimisers, replace(batch, phase=phase.name), step=0, fabric=fabric)
    changed = {
        name for name, network in system.networks.items()
        if not all(torch.equal(a, b) for a, b in zip(before[name], network.parameters(), strict=True))
    }  # fmt: skip
    return {name: value.item() for name, value in values.items()}, changed


@pytest.mark.parametrize(("variant", "channels"), [("full", 51), ("k1", 9)])
def test_at_the_published_size_the_networks_are_the_published_ones(variant, channels):
    with torch.device("meta"):
        system = build_system("pix2pixhd", variant, {}, size=224, features=None)
    generator = {9: 182_462_083, 51: 182_593_795}[channels]
    # one discriminator of 6 channels has 2,767,809; every further one adds a 4 x 4 kernel to each of 64 channels
    discriminator = 2 * (2_767_809 + (channels + 3 - 6) * 64 * 16)
    assert parameters(system.generator) == generator
    assert parameters(system.discriminator) == discriminator
    assert system.shots == system.most_sources == {9: 1, 51: 8}[channels]


@pytest.mark.parametrize(("size", "width", "halvings"), [(64, 16, 2), (128, 40, 3), (224, 64, 4)])
def test_widths_and_depth_follow_the_pictures_size(size, width, halvings):
    with torch.device("meta"):
        system = build_system("pix2pixhd", "full", {}, size=size, features=None)
    convolutions = [layer for layer in system.generator.trunk if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [width * 2**level for level in range(halvings + 1)]
    assert system.discriminator.scales[0].layers[0][0].out_channels == width


def test_weights_begin_as_published():
    system = small(width=32)
    convolutions = [m for m in system.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    weights = torch.cat([layer.weight.detach().flatten() for layer in convolutions])
    assert len(convolutions) == 1 + 1 + 2 + 1 + 1 + 2 * 5
    assert weights.mean().abs() < 1e-3
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert not any(list(m.parameters()) for m in system.modules() if isinstance(m, nn.InstanceNorm2d))


def written_out(system, batch):
    """Condition, drawn picture, and the three terms with the discriminator's, from the formulas."""
    drawings = [landmark_pictures(batch.sources.landmarks[:, k], 64) for k in range(2)]
    condition = torch.cat([*batch.sources.image.unbind(1), *drawings, landmark_pictures(batch.target.landmarks, 64)], 1)
    drawn, target = system.generator(condition), batch.target.image
    D, phi = system.discriminator, system.features
    fake, real = (D(torch.cat([condition, image], dim=1)) for image in (drawn, target))
    mse, l1 = F.mse_loss, F.l1_loss
    one = torch.ones(())
    terms = {
        "adversarial": sum(mse(s[-1], one.expand_as(s[-1])) for s in fake) / 2,
        "feature_matching": sum(l1(a, b) for f, r in zip(fake, real, strict=True)
                                for a, b in zip(f[:-1], r[:-1], strict=True)) / 2,
        "perceptual": sum(w * l1(a, b) for w, a, b in zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), phi.firsts(drawn),
                                                           phi.firsts(target), strict=True)),
        "discriminator": sum(mse(r[-1], one.expand_as(r[-1])) + mse(f[-1], 0 * f[-1])
                             for f, r in zip(fake, real, strict=True)) / 2 / 2,
    }  # fmt: skip
    return condition, drawn, terms


def test_terms_equal_the_formulas_written_out_one_by_one():
    system, batch = small(), some_batch(2)
    fake = system.generate(batch)
    total, values = system.generator_terms(batch, fake).total()
    _, critic = system.discriminator_terms(batch, fake).total()
    condition, drawn, wanted = written_out(system, batch)
    assert condition.shape == (2, 6 * 2 + 3, 64, 64)
    torch.testing.assert_close(fake.image, drawn)
    found = {**values, **critic}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value.detach(), rtol=1e-4, atol=1e-6, msg=name)
    # the official code sums the adversarial term over its two scales and divides feature matching by them
    by_hand = 2 * wanted["adversarial"] + 10 * wanted["feature_matching"] + 10 * wanted["perceptual"]
    torch.testing.assert_close(total.detach(), by_hand.detach(), rtol=1e-4, atol=0)


def test_gradients_equal_those_of_the_formulas_and_reach_the_right_networks():
    system, batch = small(), some_batch(2)
    fake = system.generate(batch)
    system.generator_terms(batch, fake).total()[0].backward()
    assert all(weight.grad is None for weight in system.discriminator.parameters())
    ours = [weight.grad.clone() for weight in system.generator.parameters()]
    system.zero_grad()
    system.discriminator_terms(batch, fake).total()[0].backward()
    assert all(weight.grad is None for weight in system.generator.parameters())
    critics = [weight.grad.clone() for weight in system.discriminator.parameters()]
    _, _, terms = written_out(system, batch)
    by_hand = 2 * terms["adversarial"] + 10 * terms["feature_matching"] + 10 * terms["perceptual"]
    wanted = torch.autograd.grad(by_hand, list(system.generator.parameters()), retain_graph=True)
    for a, b in zip(ours, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    wanted = torch.autograd.grad(terms["discriminator"], list(system.discriminator.parameters()))
    for a, b in zip(critics, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("variant", SYSTEMS["pix2pixhd"].variants)
def test_a_variant_computes_what_it_keeps_and_trains_a_finite_step(variant):
    system = small(variant)
    terms, changed = one_step(system, system.phases[0], some_batch(system.shots))
    every = {"adversarial", "feature_matching", "perceptual", "total", "discriminator"}
    assert terms.keys() == every - {variant.removeprefix("no_")}
    assert all(math.isfinite(value) for value in terms.values())
    assert changed == {"generator", "discriminator"}


def test_without_terms_that_need_it_no_discriminator_trains():
    system = small(weights={"adversarial": 0.0, "feature_matching": 0.0})
    terms, changed = one_step(system, system.phases[0], some_batch(2))
    assert terms.keys() == {"perceptual", "total"}
    assert changed == {"generator"}
    with pytest.raises(SettingsError, match="all three weights are 0"):
        small(weights={"adversarial": 0.0, "feature_matching": 0.0, "perceptual": 0.0})


@pytest.mark.parametrize("given", [1, 3])
def test_another_number_of_sources_is_refused_in_a_sentence(given):
    system, batch = small(), some_batch(given)
    with pytest.raises(BadInput, match=f"trained for 2 source pictures.*given {given}"):
        system.reenact(batch.sources, batch.target)


def test_reenact_never_reads_the_driving_image():
    system, batch = small().eval(), some_batch(2)
    poisoned = replace(batch.target, image=torch.full_like(batch.target.image, float("nan")))
    with torch.no_grad():
        torch.testing.assert_close(system.reenact(batch.sources, poisoned), system.generate(batch).image)


@pytest.mark.parametrize(("size", "changes", "what"), [
    (65, {}, "65 px can't be halved 1 times"),
    (62, {"enhancer": True}, "62 px can't be halved 2 times"),
    (64, {"halvings": 6}, "64 px can't be halved 6 times"),
    (64, {"enhancer": True, "width": 5}, "width.*5 is odd"),
])  # fmt: skip
def test_sizes_that_do_not_halve_are_refused(size, changes, what):
    with pytest.raises(SettingsError, match=what):
        small(size=size, **changes)


# ---- the enhancer and its schedule


def test_the_rate_falls_in_the_second_half_of_each_training():
    (train,) = small().phases
    assert [train.generator.rate(share) for share in (0.0, 0.5, 0.75)] == [2e-4, 2e-4, 1e-4]
    assert train.discriminator.decay_from == 0.5
    half, alone, both = small(enhancer=True).phases
    assert [phase.share for phase in (half, alone, both)] == pytest.approx([200 / 300, 10 / 300, 90 / 300])
    assert (half.generator.decay_from, alone.generator.decay_from) == (0.5, 1.0)
    assert both.generator.decay_from == pytest.approx((50 - 10) / 90)  # epoch 50 of the second training's 100
    assert all(each.generator.decay_from == 1.0 for each in small(enhancer=True, decay_from=1.0).phases)


def test_what_trains_in_each_phase():
    system, batch = small(enhancer=True), some_batch(2)
    assert [phase.name for phase in system.phases] == ["half_size", "enhancer", "together"]
    seen = [one_step(system, phase, batch)[1] for phase in system.phases]
    assert seen == [{"generator", "discriminator"}, {"enhancer", "discriminator"},
                    {"generator", "enhancer", "discriminator"}]  # fmt: skip


def test_half_size_is_the_pyramids_and_the_enhancer_draws_twice_that():
    system, batch = small(enhancer=True), some_batch(2)
    half = system.generate(replace(batch, phase="half_size"))
    assert half.image.shape == half.target.shape == (2, 3, 32, 32)
    torch.testing.assert_close(half.target, halved(batch.target.image))
    assert not system.enhancer.begun
    whole = system.generate(replace(batch, phase="enhancer"))
    assert system.enhancer.begun
    torch.testing.assert_close(half.condition[0], halved(whole.condition[0]))
    features = system.generator.features(half.condition[0])
    torch.testing.assert_close(whole.image, system.enhancer(whole.condition[0], features))
    torch.testing.assert_close(whole.target, batch.target.image)


def test_until_the_enhancer_is_trained_pictures_are_the_small_ones_enlarged(tmp_path):
    system, batch = small(enhancer=True).eval(), some_batch(2)
    with torch.no_grad():
        small_one = system.generate(replace(batch, phase="half_size")).image
        early = system.reenact(batch.sources, batch.target)
        assert early.shape == (2, 3, 64, 64)
        torch.testing.assert_close(early[..., ::2, ::2], small_one)
        torch.testing.assert_close(early[..., 1, 0], small_one[..., :2, 0].mean(dim=-1))
        drawn = system.generate(replace(batch, phase="together")).image
        torch.testing.assert_close(system.reenact(batch.sources, batch.target), drawn)
        save_system(tmp_path, system, {})
        loaded, _ = load_system(tmp_path)
        assert torch.equal(loaded.reenact(batch.sources, batch.target), system.reenact(batch.sources, batch.target))


# ---- through the stage


def test_the_stage_trains_all_phases_and_the_model_says_how_many_sources_it_takes(tmp_path):
    write_corpus(tmp_path)
    make_guide(tmp_path)
    settings = {**SMALL, "sources": 3, "enhancer": True}
    train_branch(
        tmp_path, str(tmp_path / "checkpoints"), tmp_path / "out", "pix2pixhd-full-0", system=settings, samples=32
    )
    assert json.loads((tmp_path / "out" / "status.json").read_text())["status"] == "trained"
    system, _ = load_system(tmp_path / "out")
    assert system.shots == 3
    assert set(system.networks) == {"generator", "enhancer", "discriminator"}
    with pytest.raises(BadInput, match="trained for 3 source pictures"):
        system.reenact(some_faces(1, 1, size=32), some_faces(1, size=32))
