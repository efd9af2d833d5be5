"""Training the judge reader on drawn people."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from reenact.backbones.judge_reader.augment import Views, augmented
from reenact.backbones.judge_reader.drawing import Drawn
from reenact.backbones.judge_reader.network import POSE_SCALE, Answer, JudgeReader
from reenact.backbones.judge_reader.views import EMBEDDING, SIZE
from reenact.config import Settings

MARGIN, SHARPNESS = 0.25, 20.0  # of the cosines: Wang et al. 2018 (CosFace)
FIRST_LOOK = 256  # views from which means and principal components are taken


class JudgeReaderTraining(Settings):
    """How the judge reader is trained."""

    persons: int = Field(default=1024, ge=2)  # drawn, ten pictures of each
    samples: int = Field(default=250_000, ge=1)  # views seen
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    seed: int = Field(default=0, ge=0)
    half: bool = True  # bfloat16 where the processor has it: nearly twice as fast


class People(nn.Module):
    """Whom an embedding shows, among the people of the training: cosines with one direction for each."""

    def __init__(self, count: int) -> None:
        super().__init__()
        # Short ones turn faster, and each is asked for in few steps only.
        self.directions = nn.Parameter(0.1 * torch.randn(count, EMBEDDING))

    def loss(self, embedding: Tensor, who: Tensor, margin: float = MARGIN) -> Tensor:
        """(B, E), (B,) -> (B,) cross-entropy of sharpened cosines; the right one has to win by a margin."""
        cosines = F.normalize(embedding, dim=1) @ F.normalize(self.directions, dim=1).T
        ahead = margin * F.one_hot(who, len(self.directions)).to(cosines.dtype)
        return F.cross_entropy(SHARPNESS * (cosines - ahead), who, reduction="none")


def train(
    drawn: Drawn,
    settings: JudgeReaderTraining,
    *,
    start: Mapping[str, Tensor] | None = None,
    watch: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> JudgeReader:
    """A network after `samples` views, new or from the weights `start`; step n draws what seed and n say.

    AdamW, the learning rate rising over a twentieth of the steps and falling to zero along a cosine.
    """
    names = np.unique(drawn.identity)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network, people = JudgeReader(), People(len(names))
    if start is None:
        first = _views(drawn, settings, step=2**32, count=FIRST_LOOK)
        faces = first.face > 0
        network.begin_with(torch.from_numpy(first.landmarks[faces]), torch.from_numpy(first.actions[faces]))
    else:
        network.load_state_dict(start, strict=False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spread = torch.from_numpy(drawn.actions.std(axis=0)).clamp_min(0.1)
    steps = max(1, settings.samples // settings.batch)
    weights = [*network.parameters(), *people.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps + 1, pct_start=0.05, cycle_momentum=False
    )
    network.train()
    for step in watch(range(steps)):
        # What is hidden and blurred is learned once it is known what there is to be seen.
        damage = min(1.0, 0.3 + 1.4 * step / steps)
        views = _views(drawn, settings, step=step, count=settings.batch, damage=damage)
        picture = torch.from_numpy(views.picture).permute(0, 3, 1, 2).float()  # channels_last as it is
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.half):
            answer = network(picture)
        whose = torch.from_numpy(np.searchsorted(names, views.identity))
        # From the start the margin would be all there is to learn.
        identity = people.loss(answer.embedding, whose, margin=MARGIN * min(1.0, 2.5 * step / steps))
        loss = answer_loss(answer, views, identity, spread)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 5.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def _views(drawn: Drawn, settings: JudgeReaderTraining, *, step: int, count: int, damage: float = 1.0) -> Views:
    random = np.random.Generator(np.random.Philox(key=settings.seed, counter=[0, 0, step, 0]))
    rows: NDArray[np.int64] = random.integers(len(drawn), size=count)
    return augmented(drawn, rows, random, size=SIZE, damage=damage)


def answer_loss(answer: Answer, truth: Views, identity: Tensor, spread: Tensor) -> Tensor:
    """All answers about B views, each scaled so that none drowns another; ().

    Landmarks: mean absolute error in fortieths of the view, that of the rough ones a quarter of it. Pose: the same in
    units of 7.5 degrees. Action units: mean square in units of each one's deviation (17,), which is what correlation
    asks for. `identity` (B,): the loss of the embeddings. Where there is no face only `face` counts, a cross-entropy.
    """
    is_face = torch.from_numpy(truth.face)
    faces = is_face.sum().clamp_min(1.0)
    true = torch.from_numpy(truth.landmarks)
    rough, points = ((said - true).abs().mean(dim=(1, 2)) for said in (answer.rough, answer.landmarks))
    pose = (answer.pose - torch.from_numpy(truth.pose)).abs().mean(dim=1) / POSE_SCALE
    actions = ((answer.actions - torch.from_numpy(truth.actions)) / spread).square().mean(dim=1)
    each = 10 * rough + 40 * points + 4 * pose + 10 * actions + 0.15 * identity
    return (each * is_face).sum() / faces + 0.5 * F.binary_cross_entropy_with_logits(answer.face, is_face)
