"""The user's own networks (`evaluate.networks`): what they see in pictures, read in batches and remembered.

Loaded and checked before anything is drawn, so that a wrong file is said at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reenact.backbones.settings import LpipsSettings, NetworkSettings, WeightsSettings
from reenact.corpus.shards import Image
from reenact.errors import BadInput
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import Prepared, Reading
from reenact.evaluation.metrics.metric import Floats
from reenact.hashing import hash_code, hash_file, hash_json

if TYPE_CHECKING:
    from torch import Tensor

    from reenact.backbones.arcface import ArcFace
    from reenact.backbones.inception import FidInception
    from reenact.backbones.lpips import Lpips

_JUDGES = ("labelling", *(f"evaluation/{name}.py" for name in ("judge", "tools", "synthetic_judge", "reader_judge")))
CPU_BATCH = 4  # larger ones are no faster on a CPU, and take more memory
SMALLEST = 31  # px, of which LPIPS' last layer has a pixel left


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks that there are; each method reads the pictures of a `judge.Reading`, NaN where there is none."""

    inception_network: "FidInception | None" = None
    arcface_network: "ArcFace | None" = None
    lpips_network: "Lpips | None" = None
    cache: FeatureCache = field(default_factory=FeatureCache)
    passing: FeatureCache = field(default_factory=FeatureCache)  # of this evaluation alone
    device: str = "cpu"
    batch: int = 32

    def card(self, name: str) -> dict[str, Any] | None:
        """`name` and `sha256` by file of inception, arcface or lpips; None where the user gave none."""
        network = getattr(self, f"{name}_network")
        if network is None:
            return None
        files = network.sha256 if isinstance(network.sha256, dict) else {name: network.sha256}
        return {"name": network.name, "sha256": files}

    def inception(self, view: Reading) -> Floats:
        """(N, 2048) of FID's network."""
        network = self.inception_network
        assert network is not None
        read = self._batched(lambda batch: network.features(batch).cpu().numpy())
        return self._rows("inception", view.pictures, view.usable, read)

    def arcface(self, view: Reading) -> Floats:
        """(N, D) embeddings, each face aligned by the landmarks that the view's judge finds; NaN where it finds none.

        Embeddings that were read from real pictures are kept, by network and judge; not where others read for the
        judge, since their files may be made anew.
        """
        network, judge = self.arcface_network, view.judge
        assert network is not None
        cache = self.passing if isinstance(judge, Prepared) else self.cache

        def read(pictures: list[Image]) -> Floats:
            landmarks = judge.landmarks(pictures)
            found: NDArray[np.bool_] = np.asarray(np.isfinite(landmarks).all(axis=(1, 2)))
            if not found.any():
                return _none(len(pictures), network.width)
            rows = network.embeddings([pictures[row] for row in np.flatnonzero(found)], landmarks[found])
            return _spread(rows, found)

        return self._rows("arcface", view.pictures, view.usable, read, judge.card, hash_code(*_JUDGES), cache=cache)

    def lpips(self, a: Reading, b: Reading) -> Floats:
        """(N,) distances of the pictures of two views."""
        network = self.lpips_network
        assert network is not None
        if min(a.pictures.shape[1:3]) < SMALLEST:
            raise BadInput(
                f"evaluate.networks.lpips: pictures of {a.pictures.shape[1]} px are too small for LPIPS, it needs "
                f"{SMALLEST}. Leave its file out."
            )
        usable = a.usable & b.usable
        read = self._batched(lambda *pair: network.distances(*pair).cpu().numpy())
        return _spread(read(a.pictures[usable], b.pictures[usable]), usable) if usable.any() else _none(len(usable))

    def _rows(
        self,
        name: str,
        pictures: NDArray[np.uint8],
        usable: NDArray[np.bool_],
        read: Callable[[list[Image]], Floats],
        *more: Any,
        cache: FeatureCache | None = None,
    ) -> Floats:
        if not usable.any():
            return _none(len(usable), 1)
        key = hash_json([self.card(name), hash_code(f"backbones/{name}.py"), *more])[:16]
        rows = (cache or self.cache).rows(f"{name}-{key}", [pictures[row] for row in np.flatnonzero(usable)], read)
        return _spread(rows, usable)

    def _batched(self, of: "Callable[..., Floats]") -> Callable[..., Floats]:
        import torch

        size = CPU_BATCH if self.device == "cpu" else self.batch

        def tensor(pictures: Sequence[Image]) -> "Tensor":
            return torch.from_numpy(np.stack(list(pictures))).to(self.device)

        def read(*lists: Sequence[Image]) -> Floats:
            starts = range(0, len(lists[0]), size)
            return np.concatenate([of(*(tensor(one[start : start + size]) for one in lists)) for start in starts])

        return read


def load_networks(settings: NetworkSettings, *, cache: FeatureCache, device: str, batch: int) -> Networks:
    """The networks whose files the settings name, found or fetched, checked and read.

    Raises SettingsError, BadInput or StorageError with one sentence.
    """
    where, kept = "evaluate.networks", Path(settings.cache)
    found: dict[str, Any] = {}
    if (path := _path(settings.inception, f"{where}.inception", kept)) is not None:
        from reenact.backbones.inception import FidInception

        found["inception_network"] = FidInception.load(path, sha256=settings.inception.sha256)
    if (path := _path(settings.arcface, f"{where}.arcface", kept)) is not None:
        from reenact.backbones.arcface import ArcFace

        found["arcface_network"] = ArcFace(path, sha256=settings.arcface.sha256)
    if (path := _path(settings.lpips, f"{where}.lpips", kept)) is not None:
        found["lpips_network"] = _lpips(path, settings.lpips, f"{where}.lpips", kept)
    return Networks(**found, cache=cache, device=device, batch=batch)


def _lpips(alexnet: Path, settings: LpipsSettings, where: str, cache: Path) -> "Lpips":
    from reenact.backbones.lpips import Lpips, packaged_heads

    heads = _path(settings.heads, f"{where}.heads", cache) or packaged_heads()
    return Lpips.load(alexnet, heads, sha256={"alexnet": settings.sha256, "heads": hash_file(heads)})


def _path(settings: WeightsSettings, where: str, cache: Path) -> Path | None:
    from reenact.backbones.weights import weights_file

    return weights_file(settings, where=where, cache=cache) if settings.given else None


def _spread(rows: Floats, known: NDArray[np.bool_]) -> Floats:
    """Rows of what is known among all, NaN elsewhere."""
    result = np.full((len(known), *rows.shape[1:]), np.nan, dtype=np.float64)
    result[known] = rows
    return result


def _none(count: int, *width: int) -> Floats:
    return np.full((count, *width), np.nan)
