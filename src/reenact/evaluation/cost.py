"""What drawing costs: seconds per picture and the size of the networks. A file of its own, since no two runs agree."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from reenact.faces.batch import Faces
from reenact.systems.protocol import Label, System


@dataclass(frozen=True)
class Timed:
    """A system whose drawing is timed: passes everything on, and waits for the device."""

    system: System
    batches: list[tuple[int, float]] = field(default_factory=list)  # pictures, seconds

    @property
    def labels(self) -> tuple[Label, ...]:
        """Of the system."""
        return self.system.labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def reenact(self, sources: Faces, driving: Faces) -> torch.Tensor:
        """The system's pictures, on the CPU."""
        start = time.perf_counter()
        images = self.system.reenact(sources, driving).float().cpu()
        self.batches.append((len(images), time.perf_counter() - start))
        return images

    def card(self, *, device: torch.device | str, threads: int) -> dict[str, Any]:
        """`seconds_per_picture` (None where nothing was drawn), how it was measured, and `parameters` by network.

        Labels at hand, without reading and writing files, in batches of the size given; without the first batch, where
        there are more.
        """
        counted = self.batches[1:] or self.batches
        pictures, seconds = sum(n for n, _ in counted), sum(t for _, t in counted)
        networks = getattr(self.system, "networks", {})
        kind = torch.device(device).type
        return {
            "seconds_per_picture": seconds / pictures if pictures else None,
            "pictures": pictures,
            "batch": max((n for n, _ in self.batches), default=0),
            "device": torch.cuda.get_device_name(device) if kind == "cuda" else kind,
            "threads": threads,
            "parameters": {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()},
        }
