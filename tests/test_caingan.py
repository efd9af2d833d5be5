"""Seed 003's networks, its terms and their weights over the training, its variants, and a trained system on disk."""

import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.errors import SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.nn.multiscale import MultiScale
from reenact.systems.caingan.embedder import Embedder, combine
from reenact.systems.caingan.generator import Generator, odd_kernel
from reenact.systems.catalogue import SYSTEMS, build_system, system_settings
from reenact.systems.store import load_system, save_system
from reenact.training.step import adam, only_trains, specs, train_step

SMALL = {"width": 4, "discriminator_width": 4, "sources": 3}
TERMS = {"identity", "pose", "identity_matching", "pose_matching", "perceptual"}
LATE = 0.9  # of the training: lambda_I has risen


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def some_faces(*shape):
    return Faces(image=torch.rand(*shape, 3, 64, 64) * 2 - 1, landmarks=torch.rand(*shape, 68, 2))


def some_batch(sources=3, progress=LATE):
    torch.manual_seed(0)
    return FaceBatch(sources=some_faces(2, sources), target=some_faces(2), progress=progress)


def small(variant="full", **changes):
    torch.manual_seed(2)
    features = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(0.5, 1.0, 2.0, 3.0, 4.0, 1.5, 2.5))
    return build_system("caingan", variant, {**SMALL, **changes}, size=64, features=features)


# ---- networks


def test_published_sizes_have_the_published_counts():
    with torch.device("meta"):
        embedder = Embedder(9, width=64, embedding=128)
        generator = Generator(size=224, width=64, halvings=4, embedding=128)
        assert parameters(embedder) == 3_991_330
        assert parameters(generator) == 49_836_987
        assert 2 * parameters(MultiScale(6, width=64)) == 11_071_236
        # the authors' code applies one block twice in each head, where the seed has two independent ones
        assert parameters(embedder) - 2 * parameters(embedder.embedding[0]) == 3_400_994
        # and it has a fourth block of the same resolution
        assert parameters(generator) + parameters(generator.same[0]) == 54_556_603


def test_at_224_px_the_embedding_has_a_side_of_56_and_the_bottleneck_of_14():
    system = build_system("caingan", "full", {"width": 8}, size=224, features=None).eval()
    sides = []
    for layer in (*system.generator.down, system.generator.same, *system.generator.up):
        layer.register_forward_hook(lambda _module, _inputs, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        e, r = system.embedder(torch.rand(1, 2, 9, 224, 224))
        assert e.shape == r.shape == (1, 2, 16, 56, 56)
        picture = system.generator(torch.rand(1, 3, 224, 224), combine(e, r))
    assert picture.shape == (1, 3, 224, 224)
    assert sides == [112, 56, 28, 14, 14, 14, 28, 56, 112, 224]


@pytest.mark.parametrize("width", [8, 16, 64])
def test_a_fresh_embedder_already_answers_differently_to_a_dark_and_a_light_picture(width):
    torch.manual_seed(0)
    embedder = Embedder(9, width=width, embedding=2 * width).eval()
    seen = torch.full((1, 2, 9, 16, 16), 0.5)
    seen[:, 0, :3], seen[:, 1, :3] = 0.3, 0.7
    with torch.no_grad():
        e, _ = embedder(seen)
    difference = (e[:, 0] - e[:, 1]).abs().mean()
    assert 0.05 < difference < 5  # N(0, 0.02) for every weight gives less than a thousandth


@pytest.mark.parametrize(("size", "first", "spade"), [(256, 9, 5), (224, 9, 5), (128, 5, 3), (64, 3, 3), (32, 3, 3)])
def test_kernels_keep_their_share_of_the_picture(size, first, spade):
    assert (odd_kernel(9, size), odd_kernel(5, size)) == (first, spade)


@pytest.mark.parametrize(
    ("values", "widths"),
    [({}, (16, 32, 16)), ({"width": 24, "embedding": 8, "discriminator_width": 5}, (24, 8, 5))],
)
def test_widths_follow_the_picture_unless_they_are_set(values, widths):
    system = build_system("caingan", "full", values, size=64, features=None)
    embedding = system.generator.up[0].first_norm.shared.in_channels
    first = system.identity_critic.scales[0].layers[0][0]
    assert (system.embedder.shared[0].second.out_channels, embedding, first.out_channels) == widths


# ---- embeddings of several sources


def test_the_combination_is_the_mean_weighted_by_responsibility_whatever_the_order():
    random = np.random.default_rng(0)
    e, r = random.normal(size=(2, 5, 3, 4, 4)), random.uniform(0.01, 1.01, size=(2, 5, 3, 4, 4))
    wanted = sum(e[:, i] * r[:, i] for i in range(5)) / sum(r[:, i] for i in range(5))
    found = combine(torch.from_numpy(e), torch.from_numpy(r))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
    order = [3, 0, 4, 2, 1]
    torch.testing.assert_close(combine(torch.from_numpy(e[:, order]), torch.from_numpy(r[:, order])), found)
    same = np.broadcast_to(r[:, :1], r.shape)
    np.testing.assert_allclose(combine(*map(torch.from_numpy, (e, same.copy()))).numpy(), e.mean(axis=1), rtol=1e-12)


def test_what_is_drawn_does_not_depend_on_the_order_of_sources():
    system, batch = small().eval(), some_batch(sources=4)
    with torch.no_grad():
        found = system.reenact(batch.sources, batch.target)
        turned = system.reenact(batch.sources[:, [2, 0, 3, 1]], batch.target)
    torch.testing.assert_close(turned, found, rtol=1e-4, atol=1e-5)


def test_of_one_source_responsibility_and_mean_are_the_same():
    batch = some_batch(sources=1)
    drawn = []
    for variant in ("full", "no_responsibility"):
        with torch.no_grad():
            drawn.append(small(variant).eval().reenact(batch.sources, batch.target))
    assert torch.equal(*drawn)
    e, r = small().embedder(torch.rand(1, 1, 9, 64, 64))
    torch.testing.assert_close(combine(e, r), e[:, 0])


def test_of_several_sources_they_differ_and_without_responsibility_it_is_the_plain_mean():
    batch = some_batch()
    with torch.no_grad():
        full, mean = (small(v).eval().reenact(batch.sources, batch.target) for v in ("full", "no_responsibility"))
        system = small("no_responsibility").eval()
        seen = system._seen(batch.sources, (landmark_pictures(batch.target.landmarks, 64) + 1) / 2)
        e, _ = system.embedder(seen)
        wanted = 2 * system.generator(seen[:, 0, 6:], e.mean(dim=1)) - 1
    assert not torch.allclose(full, mean)
    torch.testing.assert_close(mean, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_sources_in_use(count):
    system, batch = small().eval(), some_batch(sources=count)
    with torch.no_grad():
        drawn = system.reenact(batch.sources, batch.target)
        shares = system.responsibilities(batch.sources, batch.target)
    assert drawn.shape == (2, 3, 64, 64)
    assert drawn.abs().max() <= 1
    assert shares.shape == (2, count, 16, 16)
    assert shares.min() > 0
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 16, 16))


def test_only_a_targeted_embedder_sees_where_the_target_looks():
    batch = some_batch()
    elsewhere = Faces(image=batch.target.image, landmarks=batch.target.landmarks.flip(1))
    for variant, sees in (("full", True), ("no_targeting", False)):
        system = small(variant).eval()
        with torch.no_grad():
            shares = [system.responsibilities(batch.sources, driving) for driving in (batch.target, elsewhere)]
        assert torch.equal(*shares) != sees


# ---- the terms and their weights


def test_terms_equal_the_formulas_written_out_one_by_one():
    system, batch = small(), some_batch(progress=1 / 6)
    for network in system.networks.values():
        network.eval()  # spectral normalisation stands still between the passes
    fake = system.generate(batch)
    total, values = system.generator_terms(batch, fake).total()
    critic_total, critic_values = system.discriminator_terms(batch, fake).total()

    unit = lambda picture: (picture + 1) / 2  # noqa: E731
    drawn, x_t, x_1 = unit(fake.image), unit(batch.target.image), unit(batch.sources.image[:, 0])
    L_t = unit(landmark_pictures(batch.target.landmarks, 64))
    phi = system.features.firsts
    mean_l1 = lambda a, b: (a - b).abs().mean().item()  # noqa: E731
    wanted, wanted_critic = {}, {}
    for name, D, y in (("identity", system.identity_critic, x_1), ("pose", system.pose_critic, L_t)):
        real, made = D(torch.cat([x_t, y], dim=1)), D(torch.cat([drawn, y], dim=1))
        wanted[name] = -np.mean([layers[-1].mean().item() for layers in made])
        wanted[f"{name}_matching"] = sum(
            mean_l1(real[s][j], made[s][j]) / 2 for s in range(2) for j in range(4)
        )  # fmt: skip
        hinge = [
            np.maximum(0, 1 - r[-1].detach().numpy()).mean() + np.maximum(0, 1 + f[-1].detach().numpy()).mean()
            for r, f in zip(real, made, strict=True)
        ]
        wanted_critic[f"{name}_critic"] = np.mean(hinge)
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    wanted["perceptual"] = sum(
        w * mean_l1(a, b) for w, a, b in zip(weights, phi(fake.image), phi(batch.target.image), strict=True)
    )
    assert values.keys() == wanted.keys() == TERMS
    for name in TERMS:
        assert values[name].item() == pytest.approx(wanted[name], rel=1e-4, abs=1e-6), name
    lambdas = {"identity": 0.5, "pose": 1, "identity_matching": 5, "pose_matching": 10, "perceptual": 10}
    assert total.item() == pytest.approx(sum(lambdas[name] * wanted[name] for name in TERMS), rel=1e-4)
    assert critic_values.keys() == wanted_critic.keys()
    for name, value in wanted_critic.items():
        assert critic_values[name].item() == pytest.approx(value, rel=1e-4), name
    assert critic_total.item() == pytest.approx(sum(wanted_critic.values()), rel=1e-4)


@pytest.mark.parametrize(("progress", "share"), [(0, 0), (1 / 6, 0.5), (1 / 3, 1), (0.7, 1), (1, 1)])
def test_the_identity_weight_rises_over_the_first_third(progress, share):
    assert small(weights={"identity": 2.0}).identity_weight(progress) == pytest.approx(2 * share)
    assert small("no_importance").identity_weight(progress) == 1


def test_before_the_ramp_nothing_of_the_identity_critic_reaches_the_generator():
    system, batch = small(), some_batch(progress=0.0)
    fake = system.generate(batch)
    assert system.generator_terms(batch, fake).total()[1].keys() == {"pose", "pose_matching", "perceptual"}
    assert system.discriminator_terms(batch, fake).total()[1].keys() == {"identity_critic", "pose_critic"}


def test_each_step_trains_its_own_networks():
    system, batch = small(), some_batch()
    with only_trains(system, ("embedder", "generator")):
        fake = system.generate(batch)
        system.generator_terms(batch, fake).total()[0].backward()
    reached = {name: {w.grad is not None for w in net.parameters()} for name, net in system.networks.items()}
    assert reached == {"embedder": {True}, "generator": {True}, "identity_critic": {False}, "pose_critic": {False}}
    system.zero_grad()
    with only_trains(system, ("identity_critic", "pose_critic")):
        system.discriminator_terms(batch, fake).total()[0].backward()
    reached = {name: {w.grad is not None for w in net.parameters()} for name, net in system.networks.items()}
    assert reached == {"embedder": {False}, "generator": {False}, "identity_critic": {True}, "pose_critic": {True}}


# ---- variants and settings

GONE = {
    "no_identity": {"identity", "identity_matching"},
    "no_pose": {"pose", "pose_matching"},
    "no_adversarial": {"identity", "pose"},
    "no_feature_matching": {"identity_matching", "pose_matching"},
    "no_perceptual": {"perceptual"},
}


@pytest.mark.parametrize("variant", SYSTEMS["caingan"].variants)
def test_every_variant_trains_and_computes_what_it_keeps_and_nothing_else(variant):
    system = small(variant)
    (phase,) = system.phases
    assert phase.sources == (1 if variant == "k1" else 3)
    optimisers = [adam(system, spec) for spec in specs(phase)]
    fabric = Fabric(accelerator="cpu", devices=1)
    optimisers = [fabric.setup_optimizers(optimiser) for optimiser in optimisers]
    batch = some_batch(sources=phase.sources)
    before = {name: [w.clone() for w in net.parameters()] for name, net in system.networks.items()}
    values = [train_step(system, phase, optimisers, batch, step=step, fabric=fabric) for step in (0, 1)]
    critics = {"identity_critic", "pose_critic"} - {f"{name}_critic" for name in GONE.get(variant, ())}
    critics |= {"identity_critic", "pose_critic"} if variant == "no_adversarial" else set()
    assert values[0].keys() == (TERMS - GONE.get(variant, set())) | critics | {"total"}
    assert values[1].keys() == critics  # two steps of the critics for one of the generator
    assert all(torch.isfinite(value) for step in values for value in step.values())
    for name, net in system.networks.items():
        moved = any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
        assert moved == (name in {"embedder", "generator", *critics}), name


def test_a_range_of_sources_is_drawn_for_each_batch():
    assert small(fewest_sources=1).phases[0].sources == (1, 3)
    assert small(fewest_sources=3).phases[0].sources == 3
    assert small(fewest_sources=1).shots == 3
    with pytest.raises(SettingsError, match="fewest_sources"):
        system_settings("caingan", "full", {"sources": 2, "fewest_sources": 3})
    with pytest.raises(SettingsError, match="sources"):
        system_settings("caingan", "full", {"sources": 0})


@pytest.mark.parametrize(
    ("weights", "said"),
    [({"pose": 0.0, "perceptual": 0.0}, "identity_ramp: 0"),
     ({"adversarial": 0.0, "feature_matching": 0.0, "perceptual": 0.0}, "nothing would be trained"),
     ({"identity": 0.0, "pose": 0.0, "perceptual": 0.0}, "nothing would be trained")],
)  # fmt: skip
def test_weights_that_train_nothing_are_refused_before_a_training(weights, said):
    with pytest.raises(SettingsError, match=said):
        system_settings("caingan", "full", {"weights": weights})
    system_settings("caingan", "full", {"weights": {"pose": 0.0, "perceptual": 0.0}, "identity_ramp": 0.0})


@pytest.mark.parametrize("size", [8, 50, 100])
def test_a_size_that_cannot_be_halved_often_enough_is_refused(size):
    with pytest.raises(SettingsError, match=rf"{size} px.*train\.size"):
        build_system("caingan", "full", {}, size=size, features=None)


@pytest.mark.parametrize("size", [16, 48, 128])
def test_other_sizes_are_drawn_and_judged(size):
    system = build_system("caingan", "full", {**SMALL, "sources": 1}, size=size, features=None)
    faces = lambda *shape: Faces(image=torch.rand(*shape, 3, size, size), landmarks=torch.rand(*shape, 68, 2))  # noqa: E731
    batch = FaceBatch(sources=faces(1, 1), target=faces(1))
    fake = system.generate(batch)
    assert fake.image.shape == (1, 3, size, size)
    assert torch.isfinite(system.discriminator_terms(batch, fake).total()[0])


def test_reenact_never_reads_the_driving_image():
    system, batch = small().eval(), some_batch()
    poisoned = Faces(image=torch.full_like(batch.target.image, math.nan), landmarks=batch.target.landmarks)
    with torch.no_grad():
        drawn = system.reenact(batch.sources, poisoned)
        torch.testing.assert_close(drawn, system.generate(batch).image)


def test_a_saved_system_draws_the_same(tmp_path):
    system, batch = small("no_targeting").eval(), some_batch()
    save_system(tmp_path, system, {"variant": "no_targeting", "step": 7})
    loaded, _ = load_system(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded.reenact(batch.sources, batch.target), system.reenact(batch.sources, batch.target))
    assert loaded.settings == system.settings
