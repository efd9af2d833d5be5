"""The list of systems that exist. A new one adds its card here and a folder beside this file."""

from collections.abc import Mapping
from typing import Any

from reenact.config import Settings, nearest
from reenact.errors import SettingsError
from reenact.systems.caingan.settings import CARD as CAINGAN
from reenact.systems.card import SystemCard
from reenact.systems.cgan.settings import CARD as CGAN
from reenact.systems.facegan.settings import CARD as FACEGAN
from reenact.systems.fewshot_heads.settings import CARD as FEWSHOT_HEADS
from reenact.systems.pix2pixhd.settings import CARD as PIX2PIXHD

SYSTEMS: Mapping[str, SystemCard] = {card.name: card for card in (CGAN, FACEGAN, CAINGAN, PIX2PIXHD, FEWSHOT_HEADS)}


def system_card(name: str) -> SystemCard:
    """The card of a system; raises SettingsError that names the nearest known one."""
    if name not in SYSTEMS:
        raise SettingsError(f'unknown system "{name}"{nearest(name, SYSTEMS)}')
    return SYSTEMS[name]


def system_settings(name: str, variant: str, values: Mapping[str, Any]) -> Settings:
    """Settings of one variant: the block `systems.NAME` of params.yaml, overlaid by what the variant switches off."""
    card = system_card(name)
    if variant not in card.variants:
        raise SettingsError(f'{name}: unknown variant "{variant}"{nearest(variant, card.variants)}')
    return card.settings.parse(_overlay(values, card.variants[variant]), where=f"systems.{name}")


def build_system(
    name: str, variant: str, values: Mapping[str, Any], *, size: int, features: Any, clips: int = 0
) -> Any:
    """A fresh, untrained system (an nn.Module); its weights come from torch's global generator, so seed that first.

    `features` are backbones.features.Features, or None where the system won't be trained. `clips`: how many it will be
    trained on, for networks that keep something of each.
    """
    return system_card(name).build(system_settings(name, variant, values), size=size, features=features, clips=clips)


def _overlay(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(values)
    for key, change in changes.items():
        result[key] = _overlay(result.get(key) or {}, change) if isinstance(change, Mapping) else change
    return result
