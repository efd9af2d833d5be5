"""The few-shot heads: layers, terms, fine-tuning, and a trained system on disk."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.errors import BadInput, SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.nn.adain import adain
from reenact.nn.residual import ResDown
from reenact.nn.self_attention import SelfAttention
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.fewshot_heads.discriminator import ProjectionDiscriminator
from reenact.systems.fewshot_heads.generator import level_widths
from reenact.systems.fewshot_heads.losses import content
from reenact.systems.fewshot_heads.system import kernel_for
from reenact.systems.protocol import can_finetune
from reenact.systems.store import load_system, save_system
from reenact.training.step import adam, train_step

CLIPS, K = 5, 3
FACE = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def faces(*shape, seed=0):
    random = torch.Generator().manual_seed(seed)
    points = FACE + 0.05 * torch.randn(*shape, 68, 2, generator=random)
    coarse = torch.rand(points.shape[:-2].numel(), 3, 4, 4, generator=random) * 2 - 1
    image = F.interpolate(coarse, size=(32, 32), mode="bilinear")  # smooth, as photographs are
    return Faces(image=image.reshape(*shape, 3, 32, 32), landmarks=points)


@pytest.fixture
def batch():
    return FaceBatch(sources=faces(2, K), target=faces(2, seed=1), clip=torch.tensor([3, 1]))


def small(variant="full", clips=CLIPS, **changes):
    torch.manual_seed(1)
    features = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(0.5, 1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 0.8, 1.0))
    values = {"sources": K, "width": 8, **changes}
    return build_system("fewshot_heads", variant, values, size=32, features=features, clips=clips)


# ---- networks


def test_parameter_counts_of_the_published_layers():
    with torch.device("meta"):
        system = build_system("fewshot_heads", "full", {}, size=224, features=None, clips=32)
    assert parameters(system.embedder) == 14_907_265
    assert system.generator.projection.shape == (13_184, 512)
    # The published code counts psi and w' of a fine-tuned person from the start.
    assert parameters(system.generator) + 13_184 == 38_160_037
    assert parameters(system.discriminator) + 512 == 19_644_290


@pytest.mark.parametrize(("size", "sides"), [(224, [112, 56, 28, 14]), (128, [64, 32, 16]), (64, [32, 16])])
def test_small_pictures_keep_the_side_of_the_innermost_level(size, sides):
    system = build_system("fewshot_heads", "full", {"width": 8}, size=size, features=None, clips=1).eval()
    x, seen = torch.zeros(1, 3, size, size), []
    for down in system.generator.downs:
        down.register_forward_hook(lambda _, __, out: seen.append(out.shape[-1]))
    with torch.inference_mode():
        maps = system.discriminator.trunk(x, x)
        assert system.generator(x, torch.zeros(1, len(system.generator.projection))).shape == x.shape
    assert seen == sides
    assert maps[-1].shape[-1] == 4


def test_widths_and_kernels_are_the_published_ones_at_the_published_size():
    assert level_widths(64, 4) == [32, 64, 128, 256, 512]
    assert level_widths(16, 2) == [16, 32, 64]
    assert [kernel_for(size) for size in (512, 224, 128, 64, 32)] == [9, 9, 5, 3, 3]


@pytest.mark.parametrize("kernel", [3, 9])
def test_halving_is_convolution_and_mean(kernel):
    torch.manual_seed(0)
    block, x = ResDown(3, 5, kernel=kernel).eval(), torch.randn(2, 3, 13, 13)
    slow = F.avg_pool2d(block.second(block.first(x.relu()).relu()) + block.shortcut(x), 2)
    torch.testing.assert_close(block(x), slow, atol=1e-5, rtol=1e-4)


def test_adain_gives_each_channel_the_styles_deviation_and_mean():
    x, style = torch.randn(2, 4, 9, 9), torch.randn(2, 8)
    styled = adain(x, style)
    torch.testing.assert_close(styled.mean(dim=(2, 3)), style[:, 4:], atol=1e-5, rtol=0)
    deviation = styled.std(dim=(2, 3), correction=0)
    torch.testing.assert_close(deviation, (1 + style[:, :4]).abs(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(adain(x, torch.zeros(2, 8)), F.instance_norm(x))


def test_attention_weighs_all_places_and_starts_without_effect():
    torch.manual_seed(0)
    layer, x = SelfAttention(16).eval(), torch.randn(2, 16, 3, 4)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
        q, k, v = (part(x).reshape(2, -1, 12) for part in (layer.query, layer.key, layer.value))
        weights = torch.einsum("bcn,bcm->bnm", q, k).softmax(dim=2)
        expected = x + 0.7 * torch.einsum("bnm,bcm->bcn", weights, v).reshape(x.shape)
        torch.testing.assert_close(layer(x), expected)


def test_the_critics_score_is_a_projection_on_the_clips_vector():
    torch.manual_seed(0)
    critic = ProjectionDiscriminator(width=8, halvings=3, clips=CLIPS).eval()
    image, drawing, clip = torch.randn(3, 3, 32, 32), torch.randn(3, 3, 32, 32), torch.tensor([4, 0, 4])
    judged = critic(image, drawing, critic.person(clip))
    seen = judged.maps[-1].mean(dim=(2, 3))
    for row, number in enumerate(clip):
        by_hand = torch.dot(seen[row], critic.clips[number] + critic.common) + critic.bias
        torch.testing.assert_close(judged.score[row], by_hand[0])
    assert not torch.allclose(judged.score, critic(image, drawing, critic.person(clip - 4)).score)


# ---- use


def test_neither_order_nor_number_of_sources_is_fixed(batch):
    system = small().eval()
    with torch.inference_mode():
        drawn = system.reenact(batch.sources, batch.target)
        turned = system.reenact(batch.sources[:, [2, 0, 1]], batch.target)
        single = [system.embeddings(batch.sources[:, [k]]) for k in range(K)]
        mean = system.generator.styles(torch.cat(single, dim=1).mean(dim=1))
        by_hand = system.generator(system.drawing(batch.target), mean)
        assert not torch.allclose(system.reenact(batch.sources[:, :1], batch.target), drawn, atol=1e-4)
    torch.testing.assert_close(turned, drawn, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(by_hand, drawn, atol=1e-5, rtol=1e-4)
    assert drawn.shape == (2, 3, 32, 32)
    assert drawn.abs().max() <= 1


def test_neither_the_targets_picture_nor_the_critic_is_looked_at(batch):
    system = small().eval()
    drawn = system.reenact(batch.sources, batch.target)
    blind = replace(batch.target, image=torch.full_like(batch.target.image, float("nan")))
    del system.discriminator
    torch.testing.assert_close(system.reenact(batch.sources, blind), drawn)


def test_two_people_do_not_look_the_same_to_a_fresh_embedder():
    torch.manual_seed(3)
    system = build_system("fewshot_heads", "full", {}, size=64, features=None, clips=1).eval()
    image = F.interpolate(torch.rand(6, 1, 3, 4, 4).flatten(0, 1) * 2 - 1, size=(64, 64), mode="bilinear")
    people = Faces(image=image[:, None], landmarks=FACE.expand(6, 1, 68, 2))
    with torch.inference_mode():
        embeddings = system.embeddings(people)[:, 0]
        styles = system.generator.styles(embeddings)
    assert 0.3 < embeddings.abs().mean() < 3  # as the critic's vectors of clips, which it is to match
    assert styles.std(dim=0).mean() > 0.02
    assert styles.abs().mean() < 1


# ---- terms


def test_the_terms_are_those_of_the_formulas(batch):
    system = small().eval()
    with torch.no_grad():
        fake = system.generate(batch)
        total, terms = system.generator_terms(batch, fake).total()
        critic = system.discriminator
        drawing = landmark_pictures(batch.target.landmarks, 32, inner_lip=True)
        person = critic.clips[[3, 1]] + critic.common
        real, drawn = (critic(image, drawing, person) for image in (batch.target.image, fake.image))
        apart = sum((a - b).abs().mean() for a, b in zip(real.maps, drawn.maps, strict=True))
        firsts = [system.features.firsts(image) for image in (fake.image, batch.target.image)]
        e = system.embedder(batch.sources.image.flatten(0, 1), system.drawing(batch.sources).flatten(0, 1))
        distances = [(e[row * K + k] - critic.clips[clip]).abs() for row, clip in ((0, 3), (1, 1)) for k in range(K)]
        _, critics = system.discriminator_terms(batch, fake).total()
    expected = {
        "adversarial": -drawn.score.mean(),
        "feature_matching": apart,
        "content": sum((a - b).abs().mean() for a, b in zip(*firsts, strict=True)),
        "match": torch.stack(distances).mean(),
    }
    assert len(real.maps) == len(critic.trunk.downs) + 1
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)
    torch.testing.assert_close(total, expected.pop("adversarial") + 10 * sum(expected.values()))
    hinge = (1 - real.score).relu().mean() + (1 + drawn.score).relu().mean()
    torch.testing.assert_close(critics["discriminator"], hinge)
    torch.testing.assert_close(critics["clip_vectors"], expected["match"])


@pytest.mark.parametrize("variant", SYSTEMS["fewshot_heads"].variants)
def test_every_variant_takes_finite_steps_of_all_its_networks(batch, variant):
    system = small(variant).train()
    if variant == "k1":
        batch = replace(batch, sources=batch.sources[:, :1])
    (phase,) = system.phases
    assert phase.sources == system.shots == batch.sources.image.shape[1]
    before = {name: weight.detach().clone() for name, weight in system.named_parameters()}
    optimisers = [adam(system, phase.generator), adam(system, phase.discriminator)]
    fabric = Fabric(accelerator="cpu")
    values = [train_step(system, phase, optimisers, batch, step=step, fabric=fabric) for step in range(2)]
    assert "total" in values[0]  # two steps of the critic for each of the generator
    assert "total" not in values[1]
    off = {"no_adversarial": "adversarial", "no_feature_matching": "feature_matching", "no_content": "content",
           "feed_forward": "match"}.get(variant)  # fmt: skip
    assert {"adversarial", "feature_matching", "content", "match"} - set(values[0]) == ({off} if off else set())
    assert all(value.isfinite() for value in values[0].values())
    after = dict(system.named_parameters())
    assert all(weight.isfinite().all() for weight in after.values())
    for network in system.networks:
        moved = [name for name, was in before.items() if name.startswith(network) and not torch.equal(after[name], was)]
        assert moved, network


def test_a_clips_vector_moves_with_its_pictures_only(batch):
    system = small().train()
    fake = system.generate(batch)
    system.discriminator_terms(batch, fake).total()[0].backward()
    touched = system.discriminator.clips.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False, True, False, True, False]


def test_a_training_without_clips_is_said():
    batch = FaceBatch(sources=faces(2, K), target=faces(2, seed=1))
    with pytest.raises(ValueError, match="clip"):
        system = small()
        system.generator_terms(batch, system.generate(batch)).total()


def test_weights_that_train_nothing_are_refused_before_a_training():
    with pytest.raises(SettingsError, match="no picture would be learned"):
        small(weights={"adversarial": 0.0, "feature_matching": 0.0, "content": 0.0})


# ---- fine-tuning


def test_only_what_learned_to_match_clip_vectors_is_fine_tuned():
    assert can_finetune(small())
    assert not can_finetune(small("feed_forward"))
    assert not can_finetune(build_system("cgan", "full", {}, size=64, features=None))


FEW = {"finetune": {"epochs": 6, "batch": 2, "learning_rate": 1e-3}}


def test_finetuning_draws_the_shots_better_and_leaves_the_system_as_it_is():
    system = small(**FEW).eval()
    before = {name: value.clone() for name, value in system.state_dict().items()}
    shots, other = faces(1, K, seed=4), faces(1, K, seed=5)
    with torch.inference_mode():  # as evaluations draw
        tuned = system.finetuned(shots)
        drawn = tuned.reenact(shots, shots[:, 0])
        torch.testing.assert_close(tuned.reenact(other, shots[:, 0]), drawn)  # it is that person's alone
        feed_forward = system.reenact(shots, shots[:, 0])
        wanted = shots.image[:, 0]
        after, start = (content(system.features, image, wanted) for image in (drawn, feed_forward))
    assert (drawn - wanted).abs().mean() < (feed_forward - wanted).abs().mean()
    assert after < start
    assert all(torch.equal(value, before[name]) for name, value in system.state_dict().items())
    assert not any(module.training for module in tuned.person.modules())


def test_finetuning_starts_from_what_feeding_forward_draws():
    system = small(finetune={"epochs": 1, "learning_rate": 1e-12, "discriminator_learning_rate": 1e-12}).eval()
    shots = faces(1, K, seed=4)
    tuned = system.finetuned(shots)
    embedding = system.embeddings(shots).mean(dim=1)
    torch.testing.assert_close(tuned.person.own, system.discriminator.common + embedding)
    torch.testing.assert_close(tuned.person.psi, system.generator.styles(embedding))
    for name, weight in tuned.person.generator.named_parameters():
        torch.testing.assert_close(weight, system.generator.get_parameter(name))


def test_finetuning_draws_the_same_again_and_takes_nobodys_random_numbers():
    system = small(**FEW).eval()
    shots = faces(1, K, seed=4)
    state = torch.get_rng_state()
    first = system.finetuned(shots).reenact(shots, shots[:, 0])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(system.finetuned(shots[0]).reenact(shots, shots[:, 0]), first)


def test_finetuning_without_the_feature_network_is_one_sentence():
    system = small()
    system.features = None
    with pytest.raises(BadInput, match="feature network"):
        system.finetuned(faces(1, K))


# ---- on disk


def test_a_loaded_system_knows_its_clips(batch, tmp_path):
    system = small().eval()
    save_system(tmp_path, system, {})
    loaded, facts = load_system(tmp_path)
    assert facts["clips"] == loaded.clips == CLIPS
    assert torch.equal(loaded.discriminator.clips, system.discriminator.clips)
    assert torch.equal(loaded.reenact(batch.sources, batch.target), system.reenact(batch.sources, batch.target))
