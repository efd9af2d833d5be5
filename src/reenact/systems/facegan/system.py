"""Seed 001: action units move the source's landmarks, a face is drawn from them, a background is put behind it.

Read with the section "Method" of the source document; docs/fidelity.md lists what is ours where it is silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.errors import SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.heatmaps import landmark_image
from reenact.faces.segments import foreground
from reenact.losses.landmarks import action_distance, connectivity, reconstruction
from reenact.losses.least_squares import critic_least_squares, generator_least_squares
from reenact.losses.masks import mask_penalty, total_variation
from reenact.losses.perceptual import normalised
from reenact.losses.segments import segment_entropy
from reenact.losses.terms import Terms
from reenact.nn.modes import frozen
from reenact.nn.multiscale import MultiScale, scores
from reenact.nn.pix2pixhd import normal_start
from reenact.systems.card import Label
from reenact.systems.facegan.action_reader import ActionReader
from reenact.systems.facegan.background_mixer import BackgroundMixer, Mixed, background_of
from reenact.systems.facegan.landmark_transformer import LandmarkTransformer, placed
from reenact.systems.facegan.motion import motion
from reenact.systems.facegan.reenactor import Face, Reenactor, drawn_foreground, without_background
from reenact.systems.facegan.settings import FaceganSettings
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival
from reenact.systems.width import halvings_for, width_for

ACTIONS, TRANSFORMER, REENACTOR, MIXER, TOGETHER = "action_reader", "transformer", "reenactor", "mixer", "together"
COARSE = 4  # squares to a side of a made-up background


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a phase made of a batch; None where it isn't its work."""

    moved: Tensor | None = None  # (B, 68, 2) l_t, crop coordinates 0..1
    face: Face | None = None  # I_fr and S_fr
    mixed: Mixed | None = None  # I_r, I_c and M
    given: Tensor | None = None  # (B, 4, S, S): I_s and H_t, beside which critics judge
    wanted: Tensor | None = None  # (B, 3, S, S): what I_r should be: I_d, or its face before another background

    @property
    def image(self) -> Tensor | None:
        """(B, 3, S, S) in [-1, 1]."""
        return self.mixed.image if self.mixed else self.face.image if self.face else None


class Facegan(nn.Module):
    """The system as the training loop, evaluation and registry see it."""

    name = "facegan"
    labels: tuple[Label, ...] = ("landmarks", "actions", "pose", "segments")
    rivals = (
        Rival(generator="adversarial", critic="reenactor_critic", loss="least_squares"),
        Rival(generator="mixed_adversarial", critic="mixer_critic", loss="least_squares"),
    )

    def __init__(self, settings: FaceganSettings, *, size: int, features: Features | None) -> None:
        super().__init__()
        self.settings, self.size, self.features = settings, size, features
        halvings = settings.halvings or halvings_for(size)
        _check(size, halvings)
        width, critic_width = settings.width or width_for(size), settings.discriminator_width or width_for(size)
        self.action_reader = ActionReader() if settings.reads_actions else None  # La
        self.transformer = LandmarkTransformer() if settings.transformer else None
        self.reenactor = Reenactor(width=width, halvings=halvings, blocks=settings.blocks)  # Gr
        self.reenactor_critic = MultiScale(7, width=critic_width, scales=settings.scales)  # of I_s, H_t, picture
        self.mixer = self.mixer_critic = None
        if settings.mixer:
            mixer_width = settings.mixer_width or width_for(size)
            self.mixer = BackgroundMixer(width=mixer_width, halvings=halvings, blocks=settings.mixer_blocks)  # Gb
            self.mixer_critic = MultiScale(7, width=critic_width, scales=settings.scales)
        for critic in (self.reenactor_critic, self.mixer_critic):
            if critic is not None:
                critic.apply(normal_start)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """By the names that optimisers, checkpoints and tables use."""
        names = ("action_reader", "transformer", "reenactor", "reenactor_critic", "mixer", "mixer_critic")
        return {name: network for name in names if (network := getattr(self, name)) is not None}

    @property
    def moves_by_actions(self) -> bool:
        """Whether action units and pose decide what is drawn, and not the driver's landmarks."""
        return self.transformer is not None

    @property
    def untransformed(self) -> "Facegan | _Without":
        """The same networks, driven by the driver's landmarks as they are."""
        return self if self.transformer is None else _Without(self, "transformer")

    @property
    def unmixed(self) -> "_Without | None":
        """The same networks without the mixer: the reenactor's picture with the background it drew."""
        return _Without(self, "mixer") if self.mixes else None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Each module alone, then all end to end; the action reader is frozen once it has learned."""
        s = self.settings
        found: list[Phase] = []
        if s.reads_actions:
            found.append(self._on_landmarks(ACTIONS, s.shares.action_reader))
        if s.transformer:
            found.append(self._on_landmarks(TRANSFORMER, s.shares.transformer))
        found.append(self._on_pictures(REENACTOR, s.shares.reenactor, "reenactor"))
        if s.mixer:
            found.append(self._on_pictures(MIXER, s.shares.mixer, "mixer"))
        every = [name for name in ("transformer", "reenactor", "mixer") if name in self.networks]
        found.append(self._on_pictures(TOGETHER, s.shares.together, *every))
        return tuple(found)

    def _on_landmarks(self, name: str, share: float) -> Phase:
        s = self.settings
        optimiser = Optimiser(networks=(name,), learning_rate=s.landmark_rate, betas=s.betas)
        return Phase(name=name, share=share, batch=s.landmark_batch, draws=False, generator=optimiser)

    def _on_pictures(self, name: str, share: float, *networks: str) -> Phase:
        s = self.settings
        heard = {"reenactor": s.reenactor_weights.adversarial, "mixer": s.mixer_weights.adversarial}
        critics = tuple(f"{network}_critic" for network in networks if heard.get(network))

        def optimiser(*names: str) -> Optimiser:
            return Optimiser(networks=names, learning_rate=s.learning_rate, betas=s.betas)

        adversary = optimiser(*critics) if critics else None
        return Phase(name=name, share=share, generator=optimiser(*networks), discriminator=adversary)

    def generate(self, batch: FaceBatch) -> Drawn:
        """What the phase's modules make of a batch; driven by l_d itself where the transformer doesn't train."""
        source, target, phase = batch.source, batch.target, batch.phase or TOGETHER
        if phase == ACTIONS:
            return Drawn()
        if phase == TRANSFORMER:
            return Drawn(moved=self._moved(source, target))
        moved = self._moved(source, target) if phase == TOGETHER and self.transformer else None
        landmarks = target.landmarks if moved is None else self._placed(moved, source, target)
        face, drawing = self._face(source, landmarks)
        given = torch.cat([source.image, drawing.detach()], dim=1)
        if self.mixer is None or phase == REENACTOR:
            return Drawn(moved=moved, face=face, given=given, wanted=target.image)
        self.mixer.begun.fill_(True)
        behind, wanted = self._behind(source, target)
        return Drawn(moved=moved, face=face, mixed=self._mix(face, behind), given=given, wanted=wanted)

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_LT, L_FR and L_BM, each where its module trains."""
        if batch.phase == ACTIONS:
            return Terms(reading=(1.0, lambda: self._reading(batch.target)))
        terms: dict[str, object] = {}
        if fake.moved is not None:
            terms |= self._of_transformer(batch, fake.moved)
        if fake.face is not None and batch.phase != MIXER:
            terms |= self._of_reenactor(batch, fake, fake.face)
        if fake.mixed is not None:
            terms |= self._of_mixer(fake, fake.mixed)
        return Terms(**terms)  # type: ignore[arg-type]

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_D = 0.5 ((D(real) - 1)^2 + D(fake)^2) of each critic whose generator trains."""
        terms = {}
        if fake.face is not None and batch.phase != MIXER:
            drawn = fake.face.image
            weight = float(self.settings.reenactor_weights.adversarial > 0)
            terms["reenactor_critic"] = (
                weight, lambda: _critic(self.reenactor_critic, fake.given, batch.target.image, drawn)
            )  # fmt: skip
        if fake.mixed is not None:
            mixed = fake.mixed.image
            weight = float(self.settings.mixer_weights.adversarial > 0)
            terms["mixer_critic"] = (weight, lambda: _critic(self.mixer_critic, fake.given, fake.wanted, mixed))
        return Terms(**terms)

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """The first source, moved by the driver's action units and pose, before its own background; [-1, 1]."""
        return self.drawn_by(sources, self.landmarks_for(sources, driving))

    def on_background(self, sources: Faces, driving: Faces, background: Tensor) -> Tensor:
        """The same before another picture (B, 3, S, S) in [-1, 1]; raises ValueError without a trained mixer."""
        return self.mixed(sources, self.landmarks_for(sources, driving), background).image

    def mask_on(self, sources: Faces, driving: Faces, background: Tensor) -> Tensor:
        """M before another picture, (B, S, S) in 0..1."""
        return self.mixed(sources, self.landmarks_for(sources, driving), background).mask[:, 0]

    def landmarks_for(self, sources: Faces, driving: Faces) -> Tensor:
        """l_t, (B, 68, 2) in crop coordinates 0..1: the source's landmarks with the driver's motion."""
        if self.transformer is None:
            return driving.landmarks
        return self._placed(self._moved(sources[:, 0], driving), sources[:, 0], driving)

    def segmented(self, sources: Faces, driving: Faces) -> Tensor:
        """S_fr, (B, 3, S, S): logits of background, face and hair in the picture that is drawn."""
        return self.face(sources, self.landmarks_for(sources, driving)).segments

    @property
    def mixes(self) -> bool:
        """Whether it can put a face before a background of choice: it has a mixer, and training has reached it."""
        return self.mixer is not None and bool(self.mixer.begun)

    def masks(self, sources: Faces, driving: Faces) -> Mapping[str, Tensor]:
        """M by its name, (B, S, S) in 0..1; none before the mixer is trained."""
        if not self.mixes:
            return {}
        return {"mixer": self.mixed(sources, self.landmarks_for(sources, driving)).mask[:, 0]}

    def mixed(self, sources: Faces, landmarks: Tensor, background: Tensor | None = None) -> Mixed:
        """I_r = M I_c + (1 - M) I_b with the parts it is made of; None: the source's own background."""
        if not self.mixes:
            raise ValueError("facegan: this one has no trained background mixer")
        source = sources[:, 0]
        face, _ = self._face(source, landmarks)
        behind = background_of(source.image, _segments(source)) if background is None else background
        return self._mix(face, behind)

    def _mix(self, face: Face, behind: Tensor) -> Mixed:
        """The mixer on I'_fr and I_b: what the segments call background is removed altogether, in training, too."""
        assert self.mixer is not None
        shown = drawn_foreground(face.segments, hard=True)
        mixed: Mixed = self.mixer(without_background(face.image, face.segments, hard=True), behind, shown=shown)
        return mixed

    def face(self, sources: Faces, landmarks: Tensor) -> Face:
        """I_fr and S_fr of the first source with these landmarks."""
        return self._face(sources[:, 0], landmarks)[0]

    def drawn_by(self, sources: Faces, landmarks: Tensor) -> Tensor:
        """The picture of these landmarks, (B, 68, 2) in crop coordinates 0..1."""
        return self.mixed(sources, landmarks).image if self.mixes else self.face(sources, landmarks).image

    def _moved(self, source: Faces, driving: Faces) -> Tensor:
        assert self.transformer is not None
        moved: Tensor = self.transformer(source.landmarks, motion(driving))
        return moved

    def _placed(self, moved: Tensor, source: Faces, driving: Faces) -> Tensor:
        return placed(moved, driving.landmarks, source.landmarks) if self.settings.placed else moved

    def _face(self, source: Faces, landmarks: Tensor) -> tuple[Face, Tensor]:
        """I_fr with S_fr, and H_t."""
        drawing = landmark_image(landmarks, self.size)
        return self.reenactor(source.image, drawing), drawing

    def _behind(self, source: Faces, target: Faces) -> tuple[Tensor, Tensor]:
        """I_b and what the mixer should make of it: the true picture, or its face before another background."""
        own = background_of(source.image, _segments(source))
        other = _made_up(source.image)
        if len(other) > 1:  # where a neighbour's background is, that; where its face was, colours
            hidden = foreground(_segments(source), self.size).roll(1, 0)
            other = torch.where(hidden > 0, other, source.image.roll(1, 0))
        swapped = torch.rand(len(other), 1, 1, 1, device=other.device) < self.settings.swapped
        seen = foreground(_segments(target), self.size)
        before_other = seen * target.image + (1 - seen) * other
        return torch.where(swapped, other, own), torch.where(swapped, before_other, target.image)

    def _reading(self, faces: Faces) -> Tensor:
        assert self.action_reader is not None
        return action_distance(self.action_reader(faces.landmarks), motion(faces))

    def _of_transformer(self, batch: FaceBatch, moved: Tensor) -> dict[str, object]:
        """L_LT = L_rec + L_AU + L_con."""
        w, source, target = self.settings.transformer_weights, batch.source, batch.target
        return {
            "landmarks": (
                w.reconstruction,
                lambda: reconstruction(moved, target.landmarks, source.landmarks, regular=w.regular),
            ),
            "actions": (w.actions, lambda: self._read_again(moved, target)),
            "connectivity": (w.connectivity, lambda: connectivity(moved, source.landmarks)),
        }

    def _read_again(self, moved: Tensor, target: Faces) -> Tensor:
        assert self.action_reader is not None
        with frozen(self.action_reader) as reader:
            return action_distance(reader(moved), motion(target))

    def _of_reenactor(self, batch: FaceBatch, fake: Drawn, face: Face) -> dict[str, object]:
        """L_FR = L_rec + L_VGG + L_adv + L_ce: adversarial terms are sums over the critic's scales.

        The reconstruction alone looks past the background.
        """
        w, target = self.settings.reenactor_weights, batch.target
        seen = foreground(_segments(target), self.size)
        return {
            "reconstruction": (
                w.reconstruction,
                lambda: (without_background(face.image, face.segments, hard=False) - seen * target.image).abs().mean(),
            ),
            "perceptual": (w.perceptual, lambda: self._perceptual(face.image, target.image)),
            "adversarial": (
                w.adversarial * self.settings.scales,
                lambda: _generator(self.reenactor_critic, fake.given, face.image),
            ),
            "segments": (w.segments, lambda: segment_entropy(face.segments, _segments(target))),
        }

    def _of_mixer(self, fake: Drawn, mixed: Mixed) -> dict[str, object]:
        """L_BM = TV(M) + |M|^2 + L_rec + L_VGG + L_adv."""
        w, wanted = self.settings.mixer_weights, fake.wanted
        assert wanted is not None
        return {
            "mixed_reconstruction": (w.reconstruction, lambda: (mixed.image - wanted).abs().mean()),
            "mixed_perceptual": (w.perceptual, lambda: self._perceptual(mixed.image, wanted)),
            "mixed_adversarial": (
                w.adversarial * self.settings.scales,
                lambda: _generator(self.mixer_critic, fake.given, mixed.image),
            ),
            "total_variation": (w.total_variation, lambda: total_variation(mixed.mask)),
            "mask": (w.mask, lambda: mask_penalty(mixed.mask)),
        }

    def _perceptual(self, fake: Tensor, target: Tensor) -> Tensor:
        if self.features is None:
            raise ValueError("the perceptual loss needs a feature network; this system was built without")
        with torch.no_grad():
            wanted = self.features.stages(target)
        return normalised(self.features.stages(fake), wanted)


class _Without:
    """`Facegan` used without one of its modules."""

    def __init__(self, system: Facegan, module: Literal["transformer", "mixer"]) -> None:
        self._system, self._module = system, module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """As the system's own, but for the module."""
        if self._module == "transformer":
            return self._system.drawn_by(sources, driving.landmarks)
        return self._system.face(sources, self._system.landmarks_for(sources, driving)).image


def _generator(critic: nn.Module | None, given: Tensor | None, drawn: Tensor) -> Tensor:
    assert critic is not None
    assert given is not None
    return generator_least_squares(scores(critic(torch.cat([given, drawn], dim=1))))


def _critic(critic: nn.Module | None, given: Tensor | None, real: Tensor | None, drawn: Tensor) -> Tensor:
    """Both pictures pass as one batch: no layer mixes images."""
    assert critic is not None
    assert given is not None
    assert real is not None
    seen = torch.cat([given.repeat(2, 1, 1, 1), torch.cat([real, drawn.detach()])], dim=1)
    halves = [each.chunk(2) for each in scores(critic(seen))]
    return critic_least_squares([r for r, _ in halves], [f for _, f in halves])


def _segments(faces: Faces) -> Tensor:
    if faces.segments is None:
        raise ValueError("facegan needs segments of its sources and, in training, of its targets")
    return faces.segments


def _made_up(like: Tensor) -> Tensor:
    """Backgrounds that no clip has: smooth colours in [-1, 1]."""
    coarse = torch.rand(len(like), 3, COARSE, COARSE, device=like.device) * 2 - 1
    return F.interpolate(coarse, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _check(size: int, halvings: int) -> None:
    """Whether the pictures' side can be halved as often as the generators do."""
    step = 2**halvings
    if size % step or size < 2 * step:
        raise SettingsError(
            f"facegan: pictures of {size} px can't be halved {halvings} times: make train.size a multiple of {step}, "
            f"{2 * step} at least, or set systems.facegan.halvings."
        )
