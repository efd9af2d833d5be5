"""Training the networks on drawn faces, and measuring them on drawn faces of other people."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from reenact.config import Settings
from reenact.faces.landmarks import outer_eye_distance
from reenact.faces.pose import pose_of
from reenact.labelling.synthetic.augment import Views, augmented, plain_views
from reenact.labelling.synthetic.drawing import Drawn
from reenact.labelling.synthetic.networks import Answer, ShapeCodes, build

BANDS = (0, 15, 30, 45, 60, 75)  # degrees of yaw between which errors are given


class SyntheticTraining(Settings):
    """How a network for large poses is trained."""

    architecture: Literal["point_maps", "shape_codes"] = "point_maps"
    width: int = Field(default=24, ge=4)  # channels of the first layer
    size: int = Field(default=64, ge=32, le=256, multiple_of=16)  # px, side of the view it is given
    persons: int = Field(default=6000, ge=1)  # drawn, four stills of each
    seed: int = Field(default=0, ge=0)
    samples: int = Field(default=400_000, ge=1)  # views seen
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    half: bool = True  # bfloat16 where the processor has it: twice as fast


@dataclass(frozen=True)
class Target:
    """`Views` as tensors."""

    gray: Tensor  # (B, 1, S, S)
    points: Tensor
    visibility: Tensor
    turn: Tensor
    face: Tensor

    @classmethod
    def of(cls, views: Views) -> "Target":
        """Of NumPy arrays."""
        return cls(
            torch.from_numpy(views.gray)[:, None].float(),
            *(torch.from_numpy(getattr(views, name)) for name in ("points", "visibility", "turn", "face")),
        )


def train(
    drawn: Drawn,
    settings: SyntheticTraining,
    *,
    start: Mapping[str, Tensor] | None = None,
    watch: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> nn.Module:
    """A network after `samples` views, new or from the weights `start`; step n draws what seed and n say.

    AdamW, the learning rate rising over a twentieth of the steps and falling to zero along a cosine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build(settings.architecture, {"width": settings.width})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        network.load_state_dict(start, strict=False)
    elif isinstance(network, ShapeCodes):
        views = augmented(drawn, np.arange(min(len(drawn), 4000)), np.random.default_rng(settings.seed), size=32)
        network.learn_basis(torch.from_numpy(views.points[views.face > 0]))
    steps = max(1, settings.samples // settings.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps + 1, pct_start=0.05, cycle_momentum=False
    )
    network.train()
    for step in watch(range(steps)):
        random = np.random.Generator(np.random.Philox(key=settings.seed, counter=[0, 0, step, 0]))
        rows = random.integers(len(drawn), size=settings.batch)
        target = Target.of(augmented(drawn, rows, random, size=settings.size))
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.half):
            answer = network(target.gray.contiguous(memory_format=torch.channels_last))
        loss = answer_loss(answer, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def answer_loss(answer: Answer, target: Target) -> Tensor:
    """Points, depth, turn and visibility of faces, and whether it is one, each scaled so that none drowns another.

    Points: mean absolute error in hundredths of the view, a hidden point at a third; depth likewise at a half. Turn:
    the sum of the absolute differences of the matrices. Visibility and face: cross-entropy.
    """
    is_face = target.face
    faces = is_face.sum().clamp_min(1.0)
    weight = (0.33 + 0.67 * target.visibility) * is_face[:, None]
    off = (answer.points.float() - target.points).abs()
    flat = (off[..., :2].sum(dim=-1) * weight).sum() / weight.sum().clamp_min(1.0)
    depth = (off[..., 2].mean(dim=1) * is_face).sum() / faces
    turn = ((answer.turn - target.turn).abs().sum(dim=(1, 2)) * is_face).sum() / faces
    seen = F.binary_cross_entropy_with_logits(answer.visibility.float(), target.visibility, reduction="none")
    return (
        100 * flat
        + 50 * depth
        + 3 * turn
        + 0.5 * (seen.mean(dim=1) * is_face).sum() / faces
        + 0.5 * F.binary_cross_entropy_with_logits(answer.face.float(), is_face)
    )


@torch.no_grad()
def errors(network: nn.Module, drawn: Drawn, *, size: int, seed: int = 0) -> dict[str, Any]:
    """How far off the truth a network is on drawn faces, in all and by bands of yaw.

    `points`: mean distance of the 68 in % of the spread (the root mean square distance of the true points from their
    centroid, in 2D; unlike the eye distance it does not vanish in profile); `eyes`: the same in % of the outer eye
    distance; `pose`: mean absolute error over pitch, yaw and roll, degrees; `depth` in % of the spread; `visibility`:
    share of points alike. Boxes are those of the true points, moved as a tracker's are.
    """
    random = np.random.default_rng(seed)
    read: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, len(drawn), 256):
        rows = np.arange(start, min(start + 256, len(drawn)))
        views = plain_views(drawn, rows, size=size, random=random)
        answer = network.eval()(Target.of(views).gray)
        read.append(_errors_of(answer, views))
    all_of = {name: np.concatenate([one[name] for one in read]) for name in read[0]}
    yaw = np.abs(drawn.pose[:, 1])
    groups = {"all": np.ones(len(yaw), bool)} | {
        f"{low}-{high}": (yaw >= low) & (yaw < high) for low, high in pairwise(BANDS)
    }
    return {
        group: {"frames": int(of.sum())} | {name: float(values[of].mean()) for name, values in all_of.items()}
        for group, of in groups.items()
        if of.any()
    }


def _errors_of(answer: Answer, views: Views) -> dict[str, NDArray[np.float64]]:
    said, true = answer.points.numpy().astype(np.float64), views.points.astype(np.float64)
    flat = np.linalg.norm(said[..., :2] - true[..., :2], axis=-1).mean(axis=-1)
    centred = true[..., :2] - true[..., :2].mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1))
    off = np.abs(pose_of(answer.turn.numpy()) - pose_of(views.turn))
    return {
        "points": 100 * flat / spread,
        "eyes": 100 * flat / outer_eye_distance(true[..., :2]),
        "depth": 100 * np.abs(said[..., 2] - true[..., 2]).mean(axis=-1) / spread,
        "pitch": off[:, 0], "yaw": off[:, 1], "roll": off[:, 2], "pose": off.mean(axis=1),
        "visibility": ((answer.visibility.numpy() > 0) == (views.visibility > 0.5)).mean(axis=-1),
        "face": (answer.face.numpy() > 0).astype(np.float64),
    }  # fmt: skip
