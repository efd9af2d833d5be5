"""Who is drawn: the structure and the looks of one parametric person, all as plain numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP, GROUPS, POINTS
from reenact.faces.shape_model import shape_model

Array = NDArray[np.float64]

SKINS = (
    (246, 212, 188),
    (244, 205, 174),
    (234, 188, 150),
    (216, 164, 124),
    (190, 134, 96),
    (160, 110, 78),
    (128, 88, 64),
    (96, 66, 50),
)
HAIRS = ((28, 24, 24), (48, 33, 26), (78, 52, 35), (112, 76, 48), (160, 120, 74), (204, 170, 116), (132, 62, 34),
         (150, 148, 146), (204, 202, 198))  # fmt: skip
IRISES = ((70, 44, 26), (98, 64, 34), (120, 96, 52), (84, 116, 76), (84, 118, 152), (120, 130, 140))
CLOTHES = (
    (44, 58, 96),
    (128, 38, 42),
    (40, 40, 44),
    (226, 224, 218),
    (62, 104, 74),
    (210, 160, 60),
    (92, 72, 120),
    (60, 140, 160),
)
STYLES = ("short", "side", "fringe", "long", "wavy", "bob", "curly", "afro", "receding", "bald", "parted", "bun",
          "crop")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Person:
    """Structure in the shape model's units and mm, looks in RGB 0..255; everything a picture of this person needs."""

    identity: Array  # (K,) standard deviations of the shape model's modes
    residual: Array  # (68, 3) mm outside the shape model
    strength: Array  # (17, 2) how strongly each action unit shows on the person's right and left side
    curve: Array  # (17,) exponent of each action unit's course from 0 to 5
    skin: Array
    hair: Array
    iris: Array
    lips: Array
    cloth: Array
    cloth2: Array
    style: str
    volume: float  # mm of hair above the skull
    hairline: float  # height of the forehead in mm
    brow_width: float  # mm
    brow_darkness: float  # 0..1
    lash: float  # mm
    iris_size: float  # mm
    age: float  # 0..1: how deep folds are at rest
    grey: float  # 0..1: share of grey hair
    shine: float  # how much the skin reflects
    freckles: float  # 0..1
    moles: Array  # (n, 3): x, y in mm on the face, radius in mm
    beard: float  # 0 none .. 1 full and dense
    moustache: float
    stubble: float  # 0..1
    glasses: float  # frame in mm, 0 for none
    glasses_shape: float  # 0 round .. 1 rectangular
    glasses_colour: Array
    collar: float  # 0 round .. 1 pointed
    stripes: float  # mm, 0 for none
    seed: int  # texture

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Person":
        """The person that `plain` described."""
        arrays = {field.name for field in fields(cls) if field.type is Array or field.type == "Array"}
        shaped: dict[str, Any] = {k: np.asarray(v, dtype=np.float64) if k in arrays else v for k, v in values.items()}
        shaped["moles"] = shaped["moles"].reshape(-1, 3)
        return cls(**shaped)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def invent_person(rng: np.random.Generator, *, honest: bool = True) -> Person:
    """Draw a person; `honest` departs from the shape model: residuals, uneven and non-linear action units."""
    modes = len(shape_model().identity)
    skin = _between(rng, SKINS, 0.9, (0.15, 0.18, 0.17, 0.16, 0.13, 0.10, 0.07, 0.04)) * (
        rng.uniform(0.95, 1.04) + rng.uniform(-0.015, 0.015, 3)
    )
    # Dark skin goes with dark or grey hair, as a rule in life; light brows on it are also what detectors miss.
    dark_skin = float(skin.mean()) < 145
    hair = _between(rng, HAIRS, 0.35, (0.42, 0.3, 0.14, 0, 0, 0, 0, 0.1, 0.04) if dark_skin else None)
    female = rng.random() < 0.5
    style = str(rng.choice(STYLES, p=_style_odds(female)))
    lips = skin * np.array([0.84, 0.60, 0.60]) * rng.uniform(0.92, 1.06)
    if female:
        lips = lips * 0.6 + 0.4 * np.array([rng.uniform(160, 205), rng.uniform(40, 90), rng.uniform(60, 100)])
    bearded = not female and rng.random() < 0.4
    spectacled = rng.random() < 0.2
    age = float(rng.beta(1.2, 2.0))
    grey = float(np.clip(1.9 * (age - 0.42) + rng.normal(0, 0.2), 0, 1)) if age > 0.35 else 0.0
    # All numbers are drawn in both cases, so that an honest person and its plain twin look alike.
    residual, strength, curve = _residual(rng), _strength(rng), np.exp(rng.normal(0, 0.12, len(ACTION_UNITS)))
    return Person(
        identity=np.clip(rng.normal(0, 1.1, modes), -2.3, 2.3),
        residual=residual if honest else np.zeros_like(residual),
        strength=strength if honest else np.ones_like(strength),
        curve=curve if honest else np.ones_like(curve),
        skin=np.clip(skin, 0, 255),
        hair=hair,
        iris=_between(rng, IRISES, 0.2),
        lips=np.clip(lips, 0, 255),
        cloth=_between(rng, CLOTHES, 0.3),
        cloth2=_between(rng, CLOTHES, 0.3),
        style=style,
        volume=float(rng.uniform(6, 16) + (14 if style == "curly" else 0) + (4 if female else 0)),
        hairline=float(rng.uniform(70, 88)),
        brow_width=float(rng.uniform(3.2, 5.4) + (0.0 if female else 1.6)),
        brow_darkness=float(rng.uniform(0.6, 1.0)),
        lash=float(rng.uniform(1.0, 1.6) + (0.9 if female else 0.0)),
        iris_size=float(rng.uniform(5.6, 6.5)),
        age=age,
        grey=grey,
        shine=float(rng.uniform(0.05, 0.20)),
        freckles=float(max(0.0, rng.normal(-0.5, 0.6))),
        moles=rng.uniform((-55, -5, 0.7), (55, 60, 1.7), (int(rng.integers(0, 4)), 3)),
        beard=float(rng.uniform(0.45, 0.95)) if bearded else 0.0,
        moustache=float(rng.uniform(0.5, 1.0)) if bearded and rng.random() < 0.8 else 0.0,
        stubble=float(rng.uniform(0, 1)) if not female and rng.random() < 0.6 else 0.0,
        glasses=float(rng.uniform(1.2, 2.6)) if spectacled else 0.0,
        glasses_shape=float(rng.random()),
        glasses_colour=rng.uniform(10, 110) * rng.uniform(0.6, 1.0, 3),
        collar=float(rng.random()),
        stripes=float(rng.uniform(10, 26)) if rng.random() < 0.3 else 0.0,
        seed=int(rng.integers(2**31)),
    )  # fmt: skip


def plain_person() -> Person:
    """Nobody in particular: the shape model's mean, for what is the same for all people."""
    someone = invent_person(np.random.default_rng(0), honest=False)
    return replace(someone, identity=np.zeros_like(someone.identity), hairline=80.0)


def _style_odds(female: bool) -> list[float]:
    women = (0.06, 0.06, 0.10, 0.18, 0.16, 0.12, 0.07, 0.05, 0.0, 0.01, 0.08, 0.09, 0.02)
    men = (0.28, 0.18, 0.05, 0.03, 0.03, 0.01, 0.07, 0.04, 0.10, 0.10, 0.01, 0.01, 0.09)
    return list(women if female else men)


def _between(
    rng: np.random.Generator,
    palette: tuple[tuple[int, ...], ...],
    spread: float = 1.0,
    odds: tuple[float, ...] | None = None,
) -> Array:
    """A colour of the palette, moved some way towards a neighbour."""
    first = int(rng.choice(len(palette), p=odds))
    second = min(first + 1, len(palette) - 1)
    share = spread * rng.random()
    return (
        np.asarray(palette[first], dtype=np.float64) * (1 - share)
        + np.asarray(palette[second], dtype=np.float64) * share
    )


def _residual(rng: np.random.Generator) -> Array:
    """Per group a shift, per point a little more; mostly the same on both sides, as faces are."""
    even, uneven = np.zeros((POINTS, 3)), np.zeros((POINTS, 3))
    for group in GROUPS.values():
        even[list(group)] += rng.normal(0, 0.7, 3) + rng.normal(0, 0.45, (len(group), 3))
        uneven[list(group)] += rng.normal(0, 0.3, 3) + rng.normal(0, 0.15, (len(group), 3))
    even = (even + even[FLIP] * np.array([-1, 1, 1])) / 2
    residual = even + uneven
    # Lips stay closed at rest: what moves the upper inner lip moves the lower one.
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        residual[lower, 1] = residual[upper, 1]
    return residual


def _strength(rng: np.random.Generator) -> Array:
    overall = np.clip(rng.normal(1.0, 0.12, (len(ACTION_UNITS), 1)), 0.72, 1.28)
    strength = overall * np.clip(
        1.0 + rng.normal(0, 0.05, (1, 2)) + rng.normal(0, 0.05, (len(ACTION_UNITS), 2)), 0.8, 1.2
    )
    strength[ACTION_UNITS.index("AU45")] = 1.0  # everybody can shut both eyes
    return np.asarray(strength)
