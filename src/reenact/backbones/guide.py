"""Training the guide: a reader of this corpus' training identities, used inside losses only."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from reenact.backbones.reader import ACTION_SCALE, POSE_SCALE, Reader, Reading
from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.sampling import resized
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP, outer_eye_distance


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Pictures with everything a reader learns from them."""

    image: Tensor  # (B, 3, S, S) in [-1, 1]
    landmarks: Tensor  # (B, 68, 2)
    actions: Tensor  # (B, 17) 0..5
    pose: Tensor  # (B, 3) degrees
    identity: Tensor  # (B,) int64, index of the training identity; -1 for an identity that isn't one


class LabelledFrames:
    """Single frames of a corpus by number."""

    def __init__(self, corpus: Corpus, frames: Sequence[tuple[Clip, int]], *, size: int) -> None:
        self.corpus, self.frames, self.size = corpus, frames, size
        self.identities = sorted({clip.identity for clip, _ in frames})
        self._index = {name: number for number, name in enumerate(self.identities)}

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, numbers: NDArray[np.int64]) -> Labelled:
        """The frames of these numbers, as they are."""
        chosen = [self.frames[number] for number in numbers]
        read = self.corpus
        pictures = np.stack([resized(read.image(clip, frame), self.size) for clip, frame in chosen])
        return Labelled(
            image=torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0),
            landmarks=torch.from_numpy(np.stack([read.landmarks(clip)[frame] for clip, frame in chosen])),
            actions=torch.from_numpy(np.stack([read.actions(clip)[frame] for clip, frame in chosen])),
            pose=torch.from_numpy(np.stack([read.pose(clip)[frame] for clip, frame in chosen])),
            identity=torch.tensor([self._index[clip.identity] for clip, _ in chosen]),
        )


def augment(batch: Labelled, random: np.random.Generator) -> Labelled:
    """Mirror half of the pictures, move and scale the crop a little, change light and contrast.

    Crops of a corpus are centred and steady, generated faces needn't be: without moving them the reader would learn
    where faces always are. Labels follow; pose and action units don't change with the crop.
    """
    B = len(batch.image)
    mirror = torch.from_numpy(random.random(B) < 0.5)
    scale = torch.from_numpy(random.uniform(0.9, 1.1, B).astype(np.float32))
    shift = torch.from_numpy(random.uniform(-0.06, 0.06, (B, 2)).astype(np.float32))  # of the crop's side
    light = torch.from_numpy(random.uniform(-0.15, 0.15, (B, 1, 1, 1)).astype(np.float32))
    contrast = torch.from_numpy(random.uniform(0.8, 1.2, (B, 1, 1, 1)).astype(np.float32))

    batch = _mirrored(batch, mirror)
    # grid_sample asks where in the old picture each new pixel lies: the inverse of what happens to the landmarks
    theta = torch.zeros(B, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / scale
    theta[:, :, 2] = -2 * shift / scale[:, None]
    grid = F.affine_grid(theta, list(batch.image.shape), align_corners=False)
    image = F.grid_sample(batch.image, grid, padding_mode="border", align_corners=False)
    return Labelled(
        image=(image * contrast + light).clamp_(-1, 1),
        landmarks=(batch.landmarks - 0.5) * scale[:, None, None] + 0.5 + shift[:, None, :],
        actions=batch.actions,
        pose=batch.pose,
        identity=batch.identity,
    )


def _mirrored(batch: Labelled, mirror: Tensor) -> Labelled:
    flipped = batch.landmarks[:, torch.as_tensor(FLIP)] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    return Labelled(
        image=torch.where(mirror[:, None, None, None], batch.image.flip(-1), batch.image),
        landmarks=torch.where(mirror[:, None, None], flipped, batch.landmarks),
        actions=batch.actions,
        pose=torch.where(mirror[:, None], batch.pose * torch.tensor([1.0, -1.0, -1.0]), batch.pose),
        identity=batch.identity,
    )


def reading_loss(reading: Reading, logits: Tensor, truth: Labelled) -> Tensor:
    """Landmarks, action units, pose and identity, each scaled so that none drowns another.

    Landmarks: mean absolute error in units of a fiftieth of the crop. Action units: mean square of 0..1. Pose: mean
    absolute error in units of 30 degrees. Identity: cross-entropy with some label smoothing, at a tenth.
    """
    return (
        50 * (reading.landmarks - truth.landmarks).abs().mean()
        + 10 * F.mse_loss(reading.actions / ACTION_SCALE, truth.actions / ACTION_SCALE)
        + 5 * F.l1_loss(reading.pose / POSE_SCALE, truth.pose / POSE_SCALE)
        + 0.1 * F.cross_entropy(logits, truth.identity, label_smoothing=0.1)
    )


def train_reader(
    frames: LabelledFrames,
    *,
    width: int,
    embedding: int,
    samples: int,
    batch: int,
    learning_rate: float,
    seed: int,
    device: torch.device,
    watch: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> Reader:
    """A reader after `samples` samples; what step n draws is a function of seed and n alone.

    `watch` may wrap the steps to show progress. Adam, the learning rate falling to zero along a cosine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = Reader(width=width, embedding=embedding).to(device)
        classifier = nn.Linear(embedding, len(frames.identities)).to(device)
    steps = max(1, samples // batch)
    optimiser = torch.optim.Adam([*reader.parameters(), *classifier.parameters()], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in watch(range(steps)):
        random = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, step, 0]))
        drawn = augment(frames.batch(random.integers(len(frames), size=batch)), random)
        truth = Labelled(**{name: tensor.to(device) for name, tensor in vars(drawn).items()})
        reading = reader(truth.image)
        loss = reading_loss(reading, classifier(reading.embedding), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return reader.eval()


@torch.no_grad()
def reading_errors(reader: Reader, frames: LabelledFrames, *, most: int, device: torch.device) -> dict[str, float]:
    """How well the reader agrees with the labels of up to `most` frames, evenly spread.

    `landmarks`: mean distance in outer eye distances; `pitch`, `yaw`, `roll`: mean absolute error in degrees;
    `actions`: mean over action units of the correlation with the label (those that never change are left out).
    """
    numbers = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(np.int64))
    read: dict[str, list[Tensor]] = {"landmarks": [], "actions": [], "pose": []}
    true: dict[str, list[Tensor]] = {"landmarks": [], "actions": [], "pose": []}
    for start in range(0, len(numbers), 64):
        truth = frames.batch(numbers[start : start + 64])
        reading = reader.eval()(truth.image.to(device))
        for name in read:
            read[name].append(getattr(reading, name).cpu())
            true[name].append(getattr(truth, name))
    said = {name: torch.cat(parts).numpy().astype(np.float64) for name, parts in read.items()}
    was = {name: torch.cat(parts).numpy().astype(np.float64) for name, parts in true.items()}
    distance = np.linalg.norm(said["landmarks"] - was["landmarks"], axis=-1).mean(axis=-1)
    degrees = np.abs(said["pose"] - was["pose"]).mean(axis=0)
    changing = [i for i in range(len(ACTION_UNITS)) if was["actions"][:, i].std() > 1e-3 < said["actions"][:, i].std()]
    correlations = [np.corrcoef(said["actions"][:, i], was["actions"][:, i])[0, 1] for i in changing]
    return {
        "frames": float(len(numbers)),
        "landmarks": float((distance / outer_eye_distance(was["landmarks"])).mean()),
        "pitch": float(degrees[0]),
        "yaw": float(degrees[1]),
        "roll": float(degrees[2]),
        "actions": float(np.mean(correlations)) if correlations else 0.0,
    }
