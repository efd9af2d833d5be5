"""Seed 001: action units move the source's landmarks, a face is drawn from them, a background is put behind it.

Read with the section "Method" of the source document; docs/fidelity.md lists what is ours where it is silent. Each
module's file has its losses; phases.py says when which of them learns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.errors import SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.heatmaps import landmark_image
from reenact.faces.segments import segments_of
from reenact.losses.landmarks import action_distance
from reenact.losses.terms import Listed, Terms
from reenact.nn.multiscale import MultiScale
from reenact.nn.pix2pixhd import normal_start
from reenact.systems.card import Label
from reenact.systems.facegan.action_reader import ActionReader
from reenact.systems.facegan.background_mixer import BackgroundMixer, Mixed, background_of, mixer_terms
from reenact.systems.facegan.judging import critic_loss
from reenact.systems.facegan.landmark_transformer import LandmarkTransformer, placed, transformer_terms
from reenact.systems.facegan.motion import motion
from reenact.systems.facegan.phases import ACTIONS, MIXER, REENACTOR, TOGETHER, TRANSFORMER, phases_of
from reenact.systems.facegan.reenactor import Face, Reenactor, drawn_foreground, reenactor_terms, without_background
from reenact.systems.facegan.settings import FaceganSettings
from reenact.systems.facegan.trained_backgrounds import learned_on
from reenact.systems.watched import Rival
from reenact.systems.width import halvings_for, width_for


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
        self.phases = phases_of(settings)
        halvings = settings.halvings or halvings_for(size)
        _check(size, halvings)
        width, critic_width = settings.width or width_for(size), settings.discriminator_width or width_for(size)
        self.action_reader = ActionReader() if settings.reads_actions else None  # La
        self.transformer = LandmarkTransformer() if settings.transformer else None
        self.reenactor = Reenactor(width=width, halvings=halvings, blocks=settings.blocks)  # Gr
        self.reenactor_critic = MultiScale(7, width=critic_width, scales=settings.scales)  # of I_s, H_t, picture
        self.mixer: BackgroundMixer | None = None
        self.mixer_critic: MultiScale | None = None
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
            return Drawn(moved=moved, face=face, given=given)
        self.mixer.begun.fill_(True)
        behind, wanted = learned_on(source, target, swapped=self.settings.swapped)
        return Drawn(moved=moved, face=face, mixed=self._mix(face, behind), given=given, wanted=wanted)

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_LT, L_FR and L_BM, each where its module trains."""
        s, terms = self.settings, Listed()
        if batch.phase == ACTIONS:
            terms["reading"] = (1.0, lambda: self._reading(batch.target))
        if fake.moved is not None:
            w = s.transformer_weights
            terms |= transformer_terms(w, fake.moved, batch.source, batch.target, self.action_reader)
        if fake.face is not None and batch.phase != MIXER:
            assert fake.given is not None
            terms |= reenactor_terms(
                s.reenactor_weights, fake.face, batch.target,
                given=fake.given, critic=self.reenactor_critic, features=self.features,
            )  # fmt: skip
        if fake.mixed is not None:
            assert fake.given is not None
            assert fake.wanted is not None
            assert self.mixer_critic is not None
            terms |= mixer_terms(
                s.mixer_weights, fake.mixed, fake.wanted,
                given=fake.given, critic=self.mixer_critic, features=self.features,
            )  # fmt: skip
        return Terms(**terms)

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_D of each critic whose generator trains."""
        s, given, wanted, terms = self.settings, fake.given, fake.wanted, Listed()
        assert given is not None
        if fake.face is not None and batch.phase != MIXER:
            drawn, critic = fake.face.image, self.reenactor_critic
            heard = float(s.reenactor_weights.adversarial > 0)
            terms["reenactor_critic"] = (heard, lambda: critic_loss(critic, given, batch.target.image, drawn))
        if fake.mixed is not None and wanted is not None and self.mixer_critic is not None:
            mixed, other = fake.mixed.image, self.mixer_critic
            heard = float(s.mixer_weights.adversarial > 0)
            terms["mixer_critic"] = (heard, lambda: critic_loss(other, given, wanted, mixed))
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
        behind = background_of(source.image, segments_of(source)) if background is None else background
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

    def _reading(self, faces: Faces) -> Tensor:
        assert self.action_reader is not None
        return action_distance(self.action_reader(faces.landmarks), motion(faces))


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


def _check(size: int, halvings: int) -> None:
    """Whether the pictures' side can be halved as often as the generators do."""
    step = 2**halvings
    if size % step or size < 2 * step:
        raise SettingsError(
            f"facegan: pictures of {size} px can't be halved {halvings} times: make train.size a multiple of {step}, "
            f"{2 * step} at least, or set systems.facegan.halvings."
        )
