"""What a metric is, and what it is given to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
ProtocolName = Literal["self", "cross", "cross_truth", "lsim", "selfvideo", "crossvideo"]


class View(Protocol):
    """N pictures as the judge reads them; a row is NaN where the picture is not usable or no face was found."""

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """(N, H, W, 3) RGB as they would be saved; black where not usable."""

    @property
    def pixels(self) -> NDArray[np.float32]:
        """(N, H, W, 3) RGB in 0..1 at the size that the system draws."""

    @property
    def landmarks(self) -> Floats:
        """(N, 68, 2) in crop coordinates 0..1."""

    @property
    def pose(self) -> Floats:
        """(N, 3) pitch, yaw, roll in degrees."""

    @property
    def actions(self) -> Floats:
        """(N, 17) intensities 0..5."""

    @property
    def descriptor(self) -> Floats:
        """(N, 128) of the judge's recognition network."""


class NetworkReader(Protocol):
    """What the user's own networks see, NaN in rows of pictures that are not usable; see evaluation.networks."""

    def inception(self, view: Any) -> Floats:
        """(N, 2048) of FID's Inception."""

    def arcface(self, view: Any) -> Floats:
        """(N, D) embeddings of the aligned faces."""

    def lpips(self, a: Any, b: Any) -> Floats:
        """(N,) distances."""


class Views(Protocol):
    """What a row of the table drew for N pairs, beside the real pictures that the pairs name."""

    @property
    def generated(self) -> View: ...
    @property
    def source(self) -> View: ...
    @property
    def driving(self) -> View: ...

    @property
    def truth(self) -> View:
        """The real picture of what was to be drawn; not usable where there is none."""

    @property
    def networks(self) -> NetworkReader:
        """The user's own networks, of which only the metric's own is sure to be there."""

    @property
    def previous(self) -> NDArray[np.intp]:
        """(N,) the row of the frame before in the same sequence; -1 where there is none."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column: its definition, where it makes sense and how it is computed.

    `per_pair` maps views of N pairs to (N,) values. A set metric gives `features` instead, (generated, real) with a
    row per pair, and `of_sets`, one number for two sets of feature rows.
    """

    id: str
    title: str
    definition: str
    citation: str
    direction: Literal["lower", "higher"]
    unit: str
    pair: str  # what is compared with what
    protocols: tuple[ProtocolName, ...]
    backbone: Literal["pixels", "landmarks", "fit", "recognition", "inception", "arcface", "lpips"]
    range: tuple[float, float]
    per_pair: Callable[[Views], Floats] | None = None
    features: Callable[[Views], tuple[Floats, Floats]] | None = None
    of_sets: Callable[[Floats, Floats], float] | None = None

    @property
    def network(self) -> str:
        """The network of the user's that it needs, "" for none: `evaluate.networks.NETWORK`."""
        return self.backbone if self.backbone in ("inception", "arcface", "lpips") else ""

    def better(self, a: float, b: float) -> bool:
        """Whether value `a` is better than `b`."""
        return a < b if self.direction == "lower" else a > b

    def card(self) -> dict[str, Any]:
        """Everything but the functions, as plain JSON types."""
        names = ("id", "title", "definition", "citation", "direction", "unit", "pair", "backbone")
        return {
            **{name: getattr(self, name) for name in names},
            "protocols": list(self.protocols),
            # JSON has no infinity
            "range": [edge if np.isfinite(edge) else None for edge in self.range],
        }


def cosine(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Cosine of the angle between rows, (N, D) x (N, D) -> (N,), in double precision; NaN for a zero row."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths > 0, (a * b).sum(axis=-1) / lengths, np.nan)
