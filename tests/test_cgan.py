"""Seed 000's networks, its six terms as a whole, its variants, and a trained system on disk."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.errors import BadInput, NewerFormat, SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.heatmaps import profiles
from reenact.hashing import hash_file
from reenact.losses.perceptual import perceptual
from reenact.nn.modes import frozen
from reenact.nn.patchgan import PatchGAN
from reenact.nn.unet import UNet
from reenact.systems.branch import Branch
from reenact.systems.catalogue import SYSTEMS, build_system, system_card, system_settings
from reenact.systems.store import load_system, save_system

SMALL = {"width": 4, "discriminator_width": 4, "dropout": 0.0, "bottleneck_dropout": 0.0, "discriminator_dropout": 0.0}


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def some_faces(*shape):
    return Faces(image=torch.rand(*shape, 3, 64, 64) * 2 - 1, landmarks=torch.rand(*shape, 68, 2))


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return FaceBatch(sources=some_faces(2, 1), target=some_faces(2), third=some_faces(2))


def features(seed=1):
    torch.manual_seed(seed)
    return GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(0.5, 1.0, 2.0, 3.0, 4.0))


def small(variant="full", seed=2, **changes):
    torch.manual_seed(seed)
    return build_system("cgan", variant, {**SMALL, **changes}, size=64, features=features())


# ---- networks


def test_parameter_counts_of_the_authors_layers():
    with torch.device("meta"):
        assert parameters(UNet(width=64, dropout=0.1, bottleneck_dropout=0.5)) == 31_536_131
        assert parameters(PatchGAN(width=32, dropout=0.375)) == 729_505


@pytest.mark.parametrize(("size", "sides"), [(64, [62, 31, 16, 8, 4]), (128, [126, 63, 32, 16, 8])])
def test_unet_sides_and_channels_down_and_up_again(size, sides):
    network = UNet(width=4, dropout=0.0, bottleneck_dropout=0.0).eval()
    seen = []
    for layer in [network.stem_norm, *network.down, *network.up]:
        layer.register_forward_hook(lambda _module, _inputs, out: seen.append(tuple(out.shape[1:])))
    out = network(torch.zeros(1, 3, size, size), profiles(torch.rand(1, 68, 2), size))
    down = [(4 * 2**level, side, side) for level, side in enumerate(sides)]
    assert seen == down + down[-2::-1]
    assert out.shape == (1, 3, size, size)
    assert out.abs().max() <= 1


def test_patchgan_judges_six_by_six_patches_at_64_px():
    network = PatchGAN(width=4, dropout=0.0).eval()
    image, factors = torch.rand(2, 3, 64, 64), profiles(torch.rand(2, 68, 2), 64)
    patches = network.patches(image, factors)
    assert patches.shape == (2, 1, 6, 6)
    torch.testing.assert_close(network(image, factors), patches.mean(dim=(1, 2, 3)))
    assert ((patches > 0) & (patches < 1)).all()


def test_frozen_gives_gradients_to_the_input_only_and_restores_everything():
    network = PatchGAN(width=2, dropout=0.1)
    network.rest[1].requires_grad_(False)
    flags = [weight.requires_grad for weight in network.parameters()]
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    with frozen(network):
        assert not any(module.training for module in network.modules())
        value = network(image, profiles(torch.rand(1, 68, 2), 64)).sum()
    value.backward()
    assert image.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in network.parameters())
    assert [weight.requires_grad for weight in network.parameters()] == flags
    assert all(module.training for module in network.modules())


# ---- the six terms


def test_terms_equal_the_formulas_written_out_one_by_one(batch):
    system = small()
    fake = system.generate(batch)
    total, values = system.generator_terms(batch, fake).total()

    G, D, phi = system.generator, system.discriminator.eval(), system.features
    I_s, I_t = batch.source.image, batch.target.image
    e_s, e_t, e_m = (profiles(f.landmarks, 64) for f in (batch.source, batch.target, batch.third))
    I_fake = G(I_s, e_t)
    mean_l1 = lambda a, b: (a - b).abs().mean(dim=(1, 2, 3))  # noqa: E731
    wanted = {
        "adversarial": -D(I_fake, e_t).log().mean(),
        "pixel": (I_fake - I_t).pow(2).mean(),
        "self_consistency": mean_l1(G(I_fake, e_s), I_s).pow(2).mean(),
        "triple": mean_l1(G(G(I_s, e_m), e_t), I_fake).pow(2).mean(),
        "perceptual": perceptual(phi.stages(I_fake), phi.stages(I_t)),
        "identity": (phi.identity(I_fake) - phi.identity(I_t)).abs().mean(),
    }
    assert values.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(values[name], value.detach(), rtol=1e-4, atol=1e-6, msg=name)
    weights = {"adversarial": 1, "pixel": 10, "self_consistency": 100, "triple": 100, "perceptual": 10, "identity": 1}
    torch.testing.assert_close(
        total.detach(), sum(weights[n] * v.detach() for n, v in wanted.items()), rtol=1e-4, atol=0
    )


def test_the_generators_step_leaves_discriminator_and_features_alone(batch):
    system = small()
    before = {name: value.clone() for name, value in system.discriminator.state_dict().items()}
    system.generator_terms(batch, system.generate(batch)).total()[0].backward()
    assert all(weight.grad is not None for weight in system.generator.parameters())
    assert all(weight.grad is None for weight in system.discriminator.parameters())
    assert all(weight.grad is None for weight in system.features.reader.parameters())
    after = system.discriminator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # statistics of batch normalisation too


def test_the_discriminators_step_leaves_the_generator_alone(batch):
    system = small()
    fake = system.generate(batch)
    loss, values = system.discriminator_terms(batch, fake).total()
    loss.backward()
    assert values.keys() == {"discriminator"}
    assert all(weight.grad is not None for weight in system.discriminator.parameters())
    assert all(weight.grad is None for weight in system.generator.parameters())


def test_features_are_no_part_of_the_systems_weights():
    system = small()
    assert {name.split(".")[0] for name in system.state_dict()} == {"generator", "discriminator"}
    assert set(system.networks) == {"generator", "discriminator"}


def test_the_first_steps_lower_the_pixel_loss(batch):
    system = small(width=8)
    optimiser = torch.optim.Adam(system.generator.parameters(), lr=2e-3)
    course = []
    for _ in range(25):
        total, values = system.generator_terms(batch, system.generate(batch)).total()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        course.append(values["pixel"].item())
    assert course[-1] < 0.8 * course[0]


@pytest.mark.parametrize("variant", SYSTEMS["cgan"].variants)
def test_a_variant_computes_what_it_keeps_and_nothing_else(variant, batch):
    gone = {
        "full": set(),
        "no_consistency": {"self_consistency", "triple"},
        "no_features": {"perceptual", "identity"},
        "no_self": {"self_consistency"},
    }.get(variant, {variant.removeprefix("no_")})
    system = small(variant)
    every = {"adversarial", "pixel", "self_consistency", "triple", "perceptual", "identity"}
    passes = []
    system.generator.register_forward_hook(lambda *_: passes.append(1))
    total, values = system.generator_terms(batch, system.generate(batch)).total()
    assert values.keys() == every - gone
    assert torch.isfinite(total)
    assert len(passes) == (1 if {"self_consistency", "triple"} <= gone else 2)
    assert (system.phases[0].discriminator is None) == ("adversarial" in gone)


def test_without_features_only_their_terms_are_out_of_reach(batch):
    torch.manual_seed(0)
    system = build_system("cgan", "no_features", SMALL, size=64, features=None)
    system.generator_terms(batch, system.generate(batch)).total()
    system = build_system("cgan", "full", SMALL, size=64, features=None)
    with pytest.raises(ValueError, match="feature network"):
        system.generator_terms(batch, system.generate(batch)).total()


def test_reenact_never_reads_the_driving_image(batch):
    system = small().eval()
    poisoned = Faces(image=torch.full_like(batch.target.image, float("nan")), landmarks=batch.target.landmarks)
    with torch.no_grad():
        drawn = system.reenact(batch.sources, poisoned)
        torch.testing.assert_close(drawn, system.generate(batch).image, rtol=1e-4, atol=1e-5)
    assert drawn.shape == (2, 3, 64, 64)


# ---- names, settings, disk


def test_branch_names():
    branch = Branch(system="cgan", variant="no_pixel", seed=3)
    assert branch.name == "cgan-no_pixel-3"
    assert Branch.parse(branch.name) == branch == Branch.of({"system": "cgan", "variant": "no_pixel", "seed": 3.0})


@pytest.mark.parametrize("name", ["cgan", "cgan-full", "cgan-full-x", "cgan--0", "cgan-full-0-1", "cgan-full--1"])
def test_a_wrong_branch_name_is_one_sentence(name):
    with pytest.raises(SettingsError, match="SYSTEM-VARIANT-SEED"):
        Branch.parse(name)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(SettingsError, match="cgan"):
        system_card("cgann")
    with pytest.raises(SettingsError, match="no_pixel"):
        system_settings("cgan", "no_pixels", {})
    with pytest.raises(SettingsError, match=r"systems\.cgan\.weights\.pixle.*pixel"):
        system_settings("cgan", "full", {"weights": {"pixle": 1.0}})


def test_a_variant_changes_only_what_it_names():
    values = {"width": 8, "weights": {"triple": 7.0}}
    made = system_settings("cgan", "no_pixel", values)
    assert (made.width, made.weights.pixel, made.weights.triple, made.weights.perceptual) == (8, 0.0, 7.0, 10.0)


def test_the_list_of_systems_as_json():
    summary = SYSTEMS["cgan"].summary()
    assert json.loads(json.dumps(summary)) == summary
    assert {"name", "seed", "variants", "labels"} <= summary.keys()
    assert summary["seed"] == "000"


def test_a_saved_system_draws_the_same(tmp_path, batch):
    system = small("no_pixel").eval()
    save_system(tmp_path, system, {"variant": "no_pixel", "step": 7})
    state = torch.random.get_rng_state()
    loaded, facts = load_system(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        assert torch.equal(loaded.reenact(batch.sources, batch.target), system.reenact(batch.sources, batch.target))
    assert facts["variant"] == "no_pixel"
    assert facts["features"] == {"name": "guide", "sha256": "0" * 64}
    assert loaded.settings == system.settings
    assert not loaded.training


def test_a_damaged_or_foreign_model_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(BadInput, match="no trained system"):
        load_system(tmp_path)
    save_system(tmp_path, small(), {})
    card, weights = tmp_path / "model.json", tmp_path / "model.safetensors"
    whole, facts = weights.read_bytes(), json.loads(card.read_text())

    weights.write_bytes(whole[:-10])
    with pytest.raises(BadInput, match="damaged"):
        load_system(tmp_path)
    weights.write_bytes(whole)

    state = load_file(weights)
    state["generator.head.bias_of_another"] = state.pop("generator.head.bias")
    save_file(state, weights)
    card.write_text(json.dumps({**facts, "sha256": hash_file(weights)}))
    with pytest.raises(BadInput, match="not the weights"):
        load_system(tmp_path)

    card.write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(NewerFormat):
        load_system(tmp_path)
    card.write_text("[]")
    with pytest.raises(BadInput, match="not the card"):
        load_system(tmp_path)
    weights.unlink()
    card.write_text(json.dumps(facts))
    with pytest.raises(BadInput, match="missing"):
        load_system(tmp_path)
