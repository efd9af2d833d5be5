"""What every system of the catalogue has to do, whatever it is."""

from dataclasses import replace

import pytest
import torch

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.faces.batch import FaceBatch, Faces
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.protocol import own_shots, sources_of
from reenact.training.device import make_fabric
from reenact.training.step import adam, train_step

SIZE = 32
SMALL = {"cgan": {"width": 4, "discriminator_width": 4}}


def some_faces(*shape):
    return Faces(
        image=torch.rand(*shape, 3, SIZE, SIZE) * 2 - 1, landmarks=torch.rand(*shape, 68, 2),
        actions=5 * torch.rand(*shape, 17), pose=60 * torch.rand(*shape, 3) - 30,
        segments=torch.randint(0, 3, (*shape, 128, 128), dtype=torch.uint8),
    )  # fmt: skip


def a_system(name):
    torch.manual_seed(0)
    features = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(1.0,) * 7)
    several = "sources" in SYSTEMS[name].settings.model_fields
    values = {**SMALL.get(name, {}), **({"sources": 2} if several else {})}
    return build_system(name, "full", values, size=SIZE, features=features, clips=3)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_phase_takes_finite_steps_in_full_and_mixed_precision(name, precision):
    system = a_system(name)
    fabric = make_fabric(Runtime(threads=1, device="cpu", precision=precision))
    for network in system.networks.values():
        network.train()
    for phase in system.phases:
        K = sources_of(phase)[1]
        batch = FaceBatch(sources=some_faces(2, K), target=some_faces(2), third=some_faces(2) if phase.third else None,
                          clip=torch.tensor([0, 2]), phase=phase.name, progress=0.5)  # fmt: skip
        groups = [group for group in (phase.generator, phase.discriminator) if group]
        optimisers = [fabric.setup_optimizers(adam(system, group)) for group in groups]
        for step in range(2):
            values = train_step(system, phase, optimisers, batch, step=step, fabric=fabric)
            assert values
            assert all(torch.isfinite(value) for value in values.values())
    assert all(torch.isfinite(weight).all() for weight in system.parameters())


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_picture_is_drawn_without_looking_at_the_drivers(name):
    system = a_system(name).eval()
    sources, driving = some_faces(2, own_shots(system)), some_faces(2)
    blind = replace(driving, image=torch.full_like(driving.image, float("nan")))
    with torch.inference_mode():
        drawn = system.reenact(sources, blind)
    assert drawn.shape == (2, 3, SIZE, SIZE)
    assert drawn.abs().max() <= 1
    torch.testing.assert_close(drawn[:1], system.reenact(sources[:1], blind[:1]).detach(), rtol=1e-4, atol=1e-4)
