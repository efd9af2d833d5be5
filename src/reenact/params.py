"""`params.yaml`, read whole: blocks, overlaid by the profile, overlaid by what was given on the command line."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from reenact.config import Runtime, Settings, nearest
from reenact.errors import SettingsError

# Where the Settings class of each block stands. Named, not imported: a caller loads only what it runs, and none of
# them before the thread count is set.
BLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "runtime": "reenact.config:Runtime",
        "render_clips": "reenact.stages.render_clips:RenderClipsSettings",
        "fetch_data": "reenact.stages.fetch_data:FetchDataSettings",
        "extract_frames": "reenact.stages.extract_frames:ExtractFramesSettings",
        "label_landmarks": "reenact.stages.label_landmarks:LabelLandmarksSettings",
        "label_actions": "reenact.stages.label_actions:LabelActionsSettings",
        "label_segments": "reenact.stages.label_segments:LabelSegmentsSettings",
        "validate_data": "reenact.stages.validate_data:ValidateDataSettings",
        "drift": "reenact.stages.drift:DriftSettings",
        "rescore": "reenact.review.settings:RescoreSettings",
        "train_guide": "reenact.stages.train_guide:TrainGuideSettings",
        "train": "reenact.stages.train:TrainSettings",
        "evaluate": "reenact.stages.evaluate:EvaluateSettings",
        "compare": "reenact.stages.compare:CompareSettings",
        "register": "reenact.stages.register:RegisterSettings",
        "gate": "reenact.review.settings:GateSettings",
        "checkpoints": "reenact.training.settings:CheckpointSettings",
        "tracking": "reenact.tracking.connect:TrackingSettings",
        "registry": "reenact.tracking.registry:RegistrySettings",
        "cluster": "reenact.cluster.settings:ClusterSettings",
    }
)
_FIXED = ("profile", "profiles", "fanout", "cluster")  # what no profile changes
PROFILED = tuple(name for name in (*BLOCKS, "systems") if name not in _FIXED)  # what each profile names
RENDERED = "out/rendered"  # fetch_data.videos where the videos are our own rendered clips

Raw = Mapping[str, Any]


class Fanout(Settings):
    """Which branches are trained: every system in every variant with every seed."""

    systems: tuple[str, ...] = ("cgan",)
    variants: tuple[str, ...] = ("full",)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)

    @model_validator(mode="after")
    def _different(self) -> Self:
        for name in ("systems", "variants", "seeds"):
            entries = getattr(self, name)
            if not entries or len(set(entries)) < len(entries):
                raise ValueError(f"{name} needs at least one entry, and each of them once")
        return self


@dataclass(frozen=True, kw_only=True)
class Params:
    """The effective settings of a run."""

    profile: str
    fanout: Fanout
    blocks: Mapping[str, Settings]
    systems: Mapping[str, Settings]

    @property
    def runtime(self) -> Runtime:
        """The block every stage shares."""
        runtime = self.blocks["runtime"]
        assert isinstance(runtime, Runtime)
        return runtime

    def branches(self) -> tuple[dict[str, Any], ...]:
        """System x variant x seed, in the order of the settings."""
        return tuple(
            {"system": system, "variant": variant, "seed": seed}
            for system in self.fanout.systems
            for variant in self.fanout.variants
            for seed in self.fanout.seeds
        )

    def plain(self) -> dict[str, Any]:
        """As plain types, in the layout of the file."""
        systems = {name: settings.plain() for name, settings in self.systems.items()}
        blocks = {name: settings.plain() for name, settings in self.blocks.items()}
        return {"profile": self.profile, **blocks, "fanout": self.fanout.plain(), "systems": systems}


def settings_class(block: str) -> type[Settings]:
    """The Settings class of a block."""
    module, name = BLOCKS[block].split(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, type)
    assert issubclass(found, Settings)
    return found


def read_raw(path: Path, *, profile: str | None = None, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The file as a mapping of blocks with profile and `block.key=value` overrides applied; `profiles` is kept.

    Loads nothing heavy, so that the thread count can be read from it before anything else. Raises SettingsError.
    """
    raw = read_yaml(path)
    changes = [_override(text) for text in overrides]
    for keys, value in changes:
        if keys == ["profile"]:
            raw["profile"] = value
        elif keys[0] in ("profile", "profiles"):
            raise SettingsError(f"-S {'.'.join(keys)}: set the block's own key, -S wins over every profile.")
    raw["profile"] = profile or raw.get("profile", "demo")
    _check_names(raw, where=str(path))
    profiles = raw.setdefault("profiles", {raw["profile"]: {}})
    _check_profiles(raw, profiles, where=str(path))
    overlay = profiles[raw["profile"]]
    effective = {**raw, **{block: _merged(raw.get(block, {}), values) for block, values in overlay.items()}}
    return overlaid(effective, _nested(changes), where="-S")


def read_overrides(overrides: Iterable[str]) -> dict[str, Any]:
    """`block.key=value` texts as one mapping of blocks; raises SettingsError."""
    return _nested([_override(text) for text in overrides])


def overlaid(raw: Raw, changes: Raw, *, where: str) -> dict[str, Any]:
    """Blocks with further changes on top, merged key by key like a profile's; `where` names them in messages."""
    _check_names(changes, where=where)
    return dict(_merged(raw, changes))


def parse(raw: Raw) -> Params:
    """Every block of `read_raw`'s mapping through its own strict class; an unknown key names the nearest known one."""
    from reenact.systems.catalogue import SYSTEMS

    systems: dict[str, Settings] = {}
    for name, values in raw.get("systems", {}).items():
        if name not in SYSTEMS:
            raise SettingsError(f"systems.{name}: unknown system{nearest(name, SYSTEMS)}")
        systems[name] = SYSTEMS[name].settings.parse(values or {}, where=f"systems.{name}")
    fanout = Fanout.parse(raw.get("fanout", {}), where="fanout")
    for name in fanout.systems:
        if name not in SYSTEMS:
            raise SettingsError(f"fanout.systems: unknown system {name}{nearest(name, SYSTEMS)}")
        for variant in fanout.variants:
            if variant not in SYSTEMS[name].variants:
                known = nearest(variant, SYSTEMS[name].variants)
                raise SettingsError(f"fanout.variants: {name} has no variant {variant}{known}")
        systems.setdefault(name, SYSTEMS[name].settings())
    blocks = {name: settings_class(name).parse(raw.get(name) or {}, where=name) for name in BLOCKS}
    return Params(profile=raw["profile"], fanout=fanout, blocks=blocks, systems=systems)


def read_yaml(path: Path) -> dict[str, Any]:
    """A file of named blocks, read as DVC reads it; raises SettingsError."""
    try:
        raw = _yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such settings file. Run inside the project, or name one.") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not readable as YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected blocks with names, found {type(raw).__name__}.")
    return raw


def _yaml(text: str) -> Any:
    """As DVC reads it, by YAML 1.2: there 1e-4 is a number; PyYAML would take it for text."""
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _override(text: str) -> tuple[list[str], Any]:
    """`block.key=value`, the value read as YAML."""
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise SettingsError(f'-S {text}: write it as "block.key=value", for example -S train.samples=2000.')
    keys = name.strip().split(".")
    try:
        read = _yaml(value)
    except yaml.YAMLError:
        raise SettingsError(f"-S {text}: the value is not readable as YAML.") from None
    if len(keys) == 1 and read is None:  # -S "cluster=$(cat mistyped.yaml)"
        raise SettingsError(f"-S {text}: nothing stands behind the sign. Was the file there?")
    return keys, read


def _nested(changes: Iterable[tuple[list[str], Any]]) -> dict[str, Any]:
    """(keys, value) as mappings within mappings, but for the choice of a profile, which is no block."""
    result: dict[str, Any] = {}
    for keys, value in changes:
        if keys == ["profile"]:
            continue
        change = value
        for key in reversed(keys):
            change = {key: change}
        result = _merged(result, change)
    return result


def _check_names(raw: Raw, *, where: str) -> None:
    known = {*BLOCKS, "systems", *_FIXED}
    for name, values in raw.items():
        if name not in known:
            raise SettingsError(f"{where}: {name}: unknown block{nearest(str(name), known)}")
        if name != "profile" and not isinstance(values, Mapping | None):
            raise SettingsError(f"{where}: {name}: expected a block of settings, found {values!r}.")


def _check_profiles(raw: Raw, profiles: Raw, *, where: str) -> None:
    known = set(PROFILED)
    if raw["profile"] not in profiles:
        raise SettingsError(
            f"{where}: profile: unknown profile {raw['profile']}{nearest(str(raw['profile']), profiles)}"
        )
    for profile, blocks in profiles.items():
        for name, values in (blocks or {}).items():
            if name not in known:
                raise SettingsError(f"{where}: profiles.{profile}.{name}: unknown block{nearest(str(name), known)}")
            if name == "fetch_data" and values and "videos" in values:
                raise SettingsError(
                    f"{where}: profiles.{profile}.fetch_data.videos: a profile can't choose the videos."
                )


def _merged(base: Any, change: Any) -> Any:
    """Mappings are merged key by key; anything else is replaced."""
    if not (isinstance(base, Mapping) and isinstance(change, Mapping)):
        return base if change is None and isinstance(base, Mapping) else change
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}
