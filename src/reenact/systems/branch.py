"""One branch of the fan-out: a system, one of its variants, a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from reenact.errors import SettingsError


@dataclass(frozen=True, kw_only=True, order=True)
class Branch:
    """What one training run trains; its name is a folder's name and a row's."""

    system: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """For example "cgan-full-0"."""
        return f"{self.system}-{self.variant}-{self.seed}"

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """As settings and pipelines have it, whose numbers may come as 0.0."""
        return cls(system=plain["system"], variant=plain["variant"], seed=int(plain["seed"]))

    @classmethod
    def parse(cls, name: str) -> Self:
        """The inverse of `name`; raises SettingsError for anything else."""
        parts = name.split("-")
        if len(parts) != 3 or not all(parts) or not (parts[2].isascii() and parts[2].isdigit()):
            raise SettingsError(f'branch "{name}": expected SYSTEM-VARIANT-SEED, for example cgan-full-0.')
        return cls(system=parts[0], variant=parts[1], seed=int(parts[2]))
