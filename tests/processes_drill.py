"""Steps of a system on the same drawn batches: by one process, or by several that share each batch."""

import os
from dataclasses import fields, replace

import torch
from torch import nn

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.faces.batch import FaceBatch, Faces
from reenact.losses.terms import Terms
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.systems.protocol import Optimiser, Phase, sources_of
from reenact.training.device import make_fabric
from reenact.training.step import adam, train_step
from reenact.training.together import begin_together

SIZE, BATCH, STEPS = 32, 4, 3
SMALL = {
    # Units that dropout silences are each process's own draw.
    "cgan": {
        "width": 4, "discriminator_width": 4, "dropout": 0.0, "bottleneck_dropout": 0.0, "discriminator_dropout": 0.0,
    },
    "facegan": {"width": 4, "halvings": 1, "blocks": 1, "mixer_width": 4, "mixer_blocks": 1, "discriminator_width": 4},
    "caingan": {"sources": 2, "width": 8, "embedding": 8, "discriminator_width": 4},
    "fewshot_heads": {"sources": 2, "width": 8},
    "pix2pixhd": {"sources": 2, "width": 4, "halvings": 1, "blocks": 1, "discriminator_width": 4, "layers": 2},
}  # fmt: skip
DRAWN = ("mixer", "together")  # phases of facegan that draw something at random for each picture, as dropout does
PENALISED = "penalised"
ALL = (PENALISED, *SYSTEMS)


class Penalised(nn.Module):
    """A critic with batch normalisation whose gradient at the pictures is penalised: its step needs two derivatives."""

    labels = ("landmarks",)

    def __init__(self):
        super().__init__()
        self.generator = nn.Conv2d(3, 3, 3, padding=1)
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, 4, 4, stride=2), nn.BatchNorm2d(4), nn.Softplus(), nn.Conv2d(4, 4, 4), nn.BatchNorm2d(4),
            nn.Softplus(), nn.Conv2d(4, 1, 4),
        )  # fmt: skip
        groups = {name: Optimiser(networks=(name,), learning_rate=1e-2, betas=(0.5, 0.9)) for name in self.networks}
        self.phases = (Phase(name="all", **groups),)

    @property
    def networks(self):
        return {"generator": self.generator, "discriminator": self.discriminator}

    def generate(self, batch):
        return self.generator(batch.source.image)

    def generator_terms(self, batch, fake):
        return Terms(
            pixel=(1.0, lambda: (fake - batch.target.image).abs().mean()),
            adversarial=(1.0, lambda: -self.discriminator(fake).mean()),
        )

    def discriminator_terms(self, batch, fake):
        def penalty():
            pictures = batch.target.image.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.discriminator(pictures).sum(), pictures, create_graph=True)
            return (slope.square().sum(dim=(1, 2, 3)).sqrt() - 1).square().mean()

        def apart():
            return (self.discriminator(fake.detach()) - self.discriminator(batch.target.image)).mean()

        return Terms(discriminator=(1.0, apart), penalty=(10.0, penalty))


def a_system(name):
    torch.manual_seed(0)
    if name == PENALISED:
        return Penalised().double()
    features = GuideFeatures(Reader(width=2), sha256="0" * 64, scales=(1.0,) * 7)
    features.reader.double()
    system = build_system(name, "full", SMALL[name], size=SIZE, features=features, clips=3).double()
    for layer in system.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):  # pictures of landmarks are always float32
            layer.register_forward_pre_hook(lambda _, given: tuple(each.double() for each in given))
    return system


def some_faces(drawn, *shape):
    def rand(*size):
        return torch.rand(*size, generator=drawn, dtype=torch.float64)

    return Faces(
        image=rand(*shape, 3, SIZE, SIZE) * 2 - 1, landmarks=rand(*shape, 68, 2), actions=5 * rand(*shape, 17),
        pose=60 * rand(*shape, 3) - 30,
        segments=torch.randint(0, 3, (*shape, 128, 128), dtype=torch.uint8, generator=drawn),
    )  # fmt: skip


def a_batch(phase, step):
    drawn = torch.Generator().manual_seed(step)
    return FaceBatch(
        sources=some_faces(drawn, BATCH, sources_of(phase)[1]), target=some_faces(drawn, BATCH),
        third=some_faces(drawn, BATCH) if phase.third else None, clip=torch.tensor([0, 2, 1, 1]), phase=phase.name,
        progress=0.5,
    )  # fmt: skip


def share(batch, rank, world):
    """Every `world`-th sample of a batch, as the sampler's numbers go."""

    def of(faces):
        values = {each.name: getattr(faces, each.name) for each in fields(faces)}
        return replace(faces, **{k: v[rank::world] for k, v in values.items() if v is not None})

    third = None if batch.third is None else of(batch.third)
    return replace(batch, sources=of(batch.sources), target=of(batch.target), third=third, clip=batch.clip[rank::world])


def trained(name, fabric):
    """(weights, terms) after some steps of each phase of a system, in float64: so that rounding hides nothing."""
    system, terms = a_system(name), []
    begin_together(system.networks.values(), fabric)
    for network in system.networks.values():
        network.train()
    for phase in (each for each in system.phases if each.name not in DRAWN):
        groups = [group for group in (phase.generator, phase.discriminator) if group]
        optimisers = [fabric.setup_optimizers(adam(system, group)) for group in groups]
        for step in range(STEPS):
            batch = share(a_batch(phase, step), fabric.global_rank, fabric.world_size)
            values = train_step(system, phase, optimisers, batch, step=step, fabric=fabric)
            terms.append({key: float(value) for key, value in values.items()})
    return {key: value.detach().clone() for key, value in system.state_dict().items()}, terms


def trained_as(rank, world, port, names, out):
    """One of `world` processes: what it ends with is saved as `out/NAME-RANK.pt`."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "GROUP_RANK": 0}
    where = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "TORCHELASTIC_RUN_ID": "drill",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    os.environ.update({key: str(value) for key, value in {**place, **where}.items()})
    fabric = make_fabric(Runtime(threads=1, device="cpu"))
    for name in names:
        torch.save(trained(name, fabric), out / f"{name}-{rank}.pt")
