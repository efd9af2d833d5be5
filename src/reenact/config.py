"""Strict, typed, keyword-only settings. Each component keeps its own class beside its code."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from reenact.errors import SettingsError


class Settings(BaseModel):
    """Base of every settings block: frozen, unknown keys refused, no silent conversion of text to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Read a block of `params.yaml`; `where` names it in messages.

        Raises SettingsError with one line per mistake; an unknown key names the nearest known one.
        """
        try:
            return cls.model_validate(_lists_to_tuples(values))
        except ValidationError as error:
            raise SettingsError("\n".join(_sentences(cls, error, where))) from None

    def plain(self) -> dict[str, Any]:
        """The block as plain JSON types, for hashing, logging and passing to another process."""
        return self.model_dump(mode="json")


def _lists_to_tuples(value: Any) -> Any:
    """YAML and JSON know lists only; frozen settings hold tuples, and strict pydantic tells them apart."""
    if isinstance(value, Mapping):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_lists_to_tuples(item) for item in value)
    return value


def _sentences(model: type[BaseModel], error: ValidationError, where: str) -> Iterable[str]:
    for mistake in error.errors():
        path = [str(part) for part in mistake["loc"]]
        name = ".".join([where, *path])
        if mistake["type"] == "extra_forbidden":
            known = list(_fields_at(model, mistake["loc"][:-1]))
            yield f"{name}: unknown setting{nearest(path[-1], known)}"
        else:
            yield f"{name}: {_said(mistake['msg'])}{_found(mistake['input'])}"


def _said(message: str) -> str:
    """Pydantic's words as a settings file has it: lists, not tuples."""
    return message.removeprefix("Value error, ").replace("a valid tuple", "a list")


def _found(value: Any) -> str:
    if isinstance(value, Mapping):  # a whole block, where a key is missing or two don't go together
        return ""
    return f" (got {list(value) if isinstance(value, tuple) else value!r})"


def _fields_at(model: type[BaseModel], path: Iterable[int | str]) -> Iterable[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return model.model_fields


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean "x"?)', else the list of what is known: the tail of an unknown-name message."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(known)}" if known else ""


class Runtime(Settings):
    """How a stage uses the machine; `threads` changes float sums, so equal bits need equal threads."""

    threads: int = Field(default=2, ge=1)  # per process, for torch, OpenCV and BLAS
    workers: int = Field(default=2, ge=1)  # processes over shards or clips in data stages
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"  # networks stay in float32: checkpoints fit any
    channels_last: bool = False  # how pictures lie in memory in training: quicker with a half float's precision

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise ValueError("none of auto, cpu, cuda, cuda:N, mps")
        return device
