"""FACEGAN as a system: what each phase trains and leaves alone, its composition, its use."""

from dataclasses import replace

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.errors import SettingsError
from reenact.evaluation.rows import as_pictures
from reenact.faces.batch import FaceBatch, Faces
from reenact.systems.catalogue import SYSTEMS, build_system, system_settings
from reenact.systems.facegan.action_reader import ActionReader
from reenact.systems.facegan.motion import motion
from reenact.systems.facegan.trained_backgrounds import learned_on
from reenact.systems.offers import can_edit, can_swap_background, unmixed
from reenact.systems.protocol import untransformed
from reenact.systems.store import load_system, save_system
from reenact.systems.watched import masks_of
from reenact.training.device import make_fabric
from reenact.training.state import load_weights, weights_of
from reenact.training.step import adam, specs, train_step

SIZE = 32
SMALL = {"width": 4, "halvings": 1, "blocks": 1, "mixer_width": 4, "mixer_blocks": 1, "discriminator_width": 4}
ALONE = ["action_reader", "transformer", "reenactor", "mixer"]


def some_faces(*shape):
    return Faces(
        image=torch.rand(*shape, 3, SIZE, SIZE) * 2 - 1, landmarks=0.2 + 0.6 * torch.rand(*shape, 68, 2),
        actions=5 * torch.rand(*shape, 17), pose=60 * torch.rand(*shape, 3) - 30,
        segments=torch.randint(0, 3, (*shape, 128, 128), dtype=torch.uint8),
    )  # fmt: skip


def some_batch(phase="", many=2):
    torch.manual_seed(0)
    return FaceBatch(sources=some_faces(many, 1), target=some_faces(many), phase=phase)


def small(variant="full", **changes):
    torch.manual_seed(1)
    guide = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    return build_system("facegan", variant, {**SMALL, **changes}, size=SIZE, features=guide)


def one_step(system, phase):
    """One step of the training loop's; the terms, and the names of networks whose weights changed."""
    fabric = make_fabric(Runtime(threads=1, device="cpu"))
    optimisers = [fabric.setup_optimizers(adam(system, spec)) for spec in specs(phase)]
    before = {name: [w.detach().clone() for w in net.parameters()] for name, net in system.networks.items()}
    terms = train_step(system, phase, optimisers, some_batch(phase.name), step=0, fabric=fabric)
    moved = {
        name
        for name, network in system.networks.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], network.parameters(), strict=True))
    }
    return terms, moved


def test_each_phase_trains_its_module_alone_then_all_but_the_action_reader():
    system = small()
    found = {phase.name: one_step(system, phase) for phase in system.phases}
    assert list(found) == [*ALONE, "together"]
    assert {name: moved for name, (_, moved) in found.items()} == {
        "action_reader": {"action_reader"},
        "transformer": {"transformer"},
        "reenactor": {"reenactor", "reenactor_critic"},
        "mixer": {"mixer", "mixer_critic"},
        "together": {"transformer", "reenactor", "reenactor_critic", "mixer", "mixer_critic"},
    }
    lt = {"landmarks", "actions", "connectivity"}
    fr = {"reconstruction", "perceptual", "adversarial", "segments", "reenactor_critic"}
    bm = {"mixed_reconstruction", "mixed_perceptual", "mixed_adversarial", "total_variation", "mask", "mixer_critic"}
    terms = {name: set(values) - {"total"} for name, (values, _) in found.items()}
    assert terms == {
        "action_reader": {"reading"}, "transformer": lt, "reenactor": fr, "mixer": bm, "together": lt | fr | bm,
    }  # fmt: skip


def test_landmarks_are_learned_in_batches_of_their_own_and_nothing_is_drawn_meanwhile():
    phases = {phase.name: phase for phase in small(landmark_batch=7).phases}
    assert [phases[name].batch for name in phases] == [7, 7, 0, 0, 0]
    assert [phases[name].draws for name in phases] == [False, False, True, True, True]
    assert sum(phase.share for phase in phases.values()) == pytest.approx(1)


def test_pictures_move_the_transformer_gently_where_all_networks_train():
    system = small(together_rate=0.05)
    networks = {name: system.networks[name] for name in ("transformer", "reenactor")}
    before = {name: parameters_to_vector(network.parameters()).detach().clone() for name, network in networks.items()}
    one_step(system, system.phases[-1])
    furthest = {
        name: (parameters_to_vector(network.parameters()) - before[name]).abs().max().item()
        for name, network in networks.items()
    }
    # the first step of Adam goes as far as the rate, whatever the gradient
    assert furthest["transformer"] == pytest.approx(0.05 * system.settings.learning_rate, rel=0.01)
    assert furthest["reenactor"] == pytest.approx(system.settings.learning_rate, rel=0.01)


@pytest.mark.parametrize("variant", SYSTEMS["facegan"].variants)
def test_a_variant_lacks_its_term_or_module_and_all_phases_take_a_step(variant):
    system = small(variant)
    terms = {name for phase in system.phases for name in one_step(system, phase)[0]}
    lacking = {
        "no_transformer": {"transformer", "action_reader"}, "no_mixer": {"mixer", "mixer_critic"},
        "no_action_loss": {"action_reader"},
    }  # fmt: skip
    assert lacking.get(variant, set()).isdisjoint(system.networks)
    gone = {
        "no_action_loss": "actions", "no_connectivity": "connectivity", "no_landmark_reconstruction": "landmarks",
        "no_face_reconstruction": "reconstruction", "no_face_perceptual": "perceptual",
        "no_face_adversarial": "adversarial", "no_segments": "segments",
        "no_mixed_reconstruction": "mixed_reconstruction", "no_mixed_perceptual": "mixed_perceptual",
        "no_mixed_adversarial": "mixed_adversarial", "no_total_variation": "total_variation", "no_mask_penalty": "mask",
    }  # fmt: skip
    if variant in gone:
        assert gone[variant] not in terms
    else:
        assert (set(gone.values()) <= terms) == (variant == "full")


def test_a_picture_is_the_mask_times_the_colour_and_the_rest_is_background():
    system = small()
    one_step(system, system.phases[-1])
    batch = some_batch()
    with torch.inference_mode():
        mixed = system.eval().mixed(batch.sources, system.landmarks_for(batch.sources, batch.target))
        drawn = system.reenact(batch.sources, batch.target)
        other = torch.rand_like(drawn) * 2 - 1
        swapped = system.mixed(batch.sources, system.landmarks_for(batch.sources, batch.target), other)
        before_other = system.on_background(batch.sources, batch.target, other)
    seen = (batch.source.segments.numpy() > 0)[:, 2::4, 2::4]  # the nearest of 128 px for pictures of 32
    composed, known = mixed.mask * mixed.colour + (1 - mixed.mask) * batch.source.image, torch.from_numpy(~seen)
    torch.testing.assert_close(drawn.movedim(1, -1)[known], composed.movedim(1, -1)[known])
    torch.testing.assert_close(before_other, swapped.mask * swapped.colour + (1 - swapped.mask) * other)
    assert masks_of(system, batch.sources, batch.target)["mixer"].shape == (2, SIZE, SIZE)


def test_without_a_trained_mixer_the_reenactors_picture_is_the_result():
    system, batch = small().eval(), some_batch()
    with torch.inference_mode():
        drawn = system.reenact(batch.sources, batch.target)
        moved = system.landmarks_for(batch.sources, batch.target)
        face = system.face(batch.sources, moved)
        own = system.landmarks_for(batch.sources, batch.source)
    torch.testing.assert_close(own, batch.source.landmarks)  # the transformer starts as the identity
    torch.testing.assert_close(moved[:, 28], batch.target.landmarks[:, 28])
    torch.testing.assert_close(drawn, face.image)
    assert masks_of(system, batch.sources, batch.target) == {}
    with pytest.raises(ValueError, match="no trained background mixer"):
        system.on_background(batch.sources, batch.target, drawn)


def test_action_units_drive_it_and_the_drivers_landmarks_do_not():
    system, batch = small(), some_batch()
    for phase in system.phases:
        one_step(system, phase)
    system.eval()
    nowhere, other = (replace(batch.target, landmarks=points) for points in (
        torch.full_like(batch.target.landmarks, float("nan")), batch.target.landmarks[:, torch.randperm(68)]
    ))  # fmt: skip
    otherwise = replace(batch.target, actions=5 - batch.target.actions)
    with torch.inference_mode():
        drawn = system.reenact(batch.sources, batch.target)
        bare = small(placed=False)
        bare.load_state_dict(system.state_dict())
        assert torch.equal(system.reenact(batch.sources, nowhere), bare.eval().reenact(batch.sources, batch.target))
        assert torch.equal(bare.reenact(batch.sources, other), bare.reenact(batch.sources, batch.target))
        assert not torch.equal(system.reenact(batch.sources, otherwise), drawn)
        raw = untransformed(system)
        assert torch.equal(raw.reenact(batch.sources, otherwise), raw.reenact(batch.sources, batch.target))
        assert not torch.equal(raw.reenact(batch.sources, batch.target), drawn)
        plain = unmixed(system).reenact(batch.sources, batch.target)
        assert torch.equal(plain, system.face(batch.sources, system.landmarks_for(batch.sources, batch.target)).image)
    assert can_edit(system)
    assert can_swap_background(system)
    bare = small("no_transformer")
    assert untransformed(bare) is bare
    assert not can_edit(bare)
    assert not can_swap_background(small("no_mixer"))
    assert unmixed(small("no_mixer")) is None


def test_the_action_reader_stays_as_it_is_while_the_transformer_learns_from_it():
    system = small()
    batch = some_batch("transformer")
    fake = system.generate(batch)
    total, terms = system.generator_terms(batch, fake).total()
    total.backward()
    assert all(weight.grad is None for weight in system.action_reader.parameters())
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in system.transformer.parameters())
    with torch.no_grad():
        read = system.action_reader(batch.source.landmarks)  # what an untrained transformer hands on
        assert float(terms["actions"]) == pytest.approx(float((read - motion(batch.target)).square().mean()), rel=1e-5)
    assert isinstance(system.action_reader, ActionReader)


def test_swapped_backgrounds_are_complete_and_the_face_before_them_is_the_drivers():
    batch = some_batch("mixer", many=3)
    drawn = small(swapped=1.0).generate(batch)
    torch.manual_seed(3)
    behind, wanted = learned_on(batch.source, batch.target, swapped=1.0)
    seen = (batch.target.segments > 0)[:, 2::4, 2::4][:, None].expand_as(wanted)
    assert torch.equal(drawn.wanted[seen], batch.target.image[seen])
    assert not torch.equal(drawn.wanted[~seen], batch.target.image[~seen])
    assert torch.equal(wanted[seen], batch.target.image[seen])
    assert torch.equal(wanted[~seen], behind[~seen])
    assert not torch.equal(behind, batch.source.image)
    own, true = learned_on(batch.source, batch.target, swapped=0.0)
    assert torch.equal(true, batch.target.image)
    assert (own[(batch.source.segments > 0)[:, 2::4, 2::4][:, None].expand_as(own)] == 0).all()


def test_it_comes_back_from_its_files_and_from_weights_of_its_networks_with_the_mixers_state(tmp_path):
    system, batch, again = small(), some_batch(), small()
    load_weights(again, weights_of(system))
    assert not again.mixes
    one_step(system, system.phases[-1])
    load_weights(again, weights_of(system))  # as a checkpoint does, and a finished training that is taken as it is
    assert again.mixes
    save_system(tmp_path, system, {"variant": "full"})
    loaded, _ = load_system(tmp_path)
    with torch.inference_mode():
        mine = as_pictures(system.eval().reenact(batch.sources, batch.target))
        theirs = as_pictures(loaded.reenact(batch.sources, batch.target))
    assert loaded.mixes
    assert (mine.pictures == theirs.pictures).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transformer_weights": {"reconstruction": 0, "actions": 0}}, "nothing says where landmarks go"),
        ({"reenactor_weights": {"reconstruction": 0, "perceptual": 0, "adversarial": 0}}, "no picture is learned"),
        ({"mixer_weights": {"reconstruction": 0, "perceptual": 0, "adversarial": 0}}, "mixer_weights: reconstruction"),
        ({"mixr": True}, 'did you mean "mixer"'),
    ],
)
def test_settings_that_train_nothing_are_refused(changes, said):
    with pytest.raises(SettingsError) as error:
        system_settings("facegan", "full", changes)
    assert said in str(error.value)


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(SettingsError, match="can't be halved 3 times"):
        build_system("facegan", "full", {"halvings": 3}, size=36, features=None)
