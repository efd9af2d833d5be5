"""Settings that name files of this machine: a pod has none of them, so they are refused before anything is sent."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reenact.cluster.pod import WORK
from reenact.errors import SettingsError
from reenact.params import Params

# Files and folders of the user's own, "" or empty where there is none. A test finds every setting of such a name.
FILES = (
    "extract_frames.synthetic.file",
    "label_landmarks.synthetic.file",
    "label_segments.onnx.file",
    "label_segments.masks.folder",
    "train.features.file",
    "evaluate.pairs",
    "evaluate.openface.folder",
    *(f"evaluate.networks.{name}.file" for name in ("inception", "arcface", "lpips", "lpips.heads", "vgg19", "vgg16")),
    "compare.predictions",
)
_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def check_for_pods(params: Params, *, here: Path) -> None:
    """Raises SettingsError where a setting names what a pod does not have, or holds a password.

    Paths below /reenact are taken as they are: that is the volume of the pods. here: where relative paths start.
    """
    plain = params.plain()
    for name in FILES:
        value = setting(plain, name)
        for path in value if isinstance(value, list) else [value]:
            if path and not path.startswith(f"{WORK}/"):
                raise SettingsError(
                    f"{name}: {path} is a file of this machine, which pods don't have. Put it on their volume and name "
                    f"it {WORK}/...{_address(plain, name)}."
                )
    listed = plain["fetch_data"]["exclude"]
    if listed and (Path(listed).is_absolute() or (here / listed).is_file()):
        raise SettingsError(
            f"fetch_data.exclude: {listed} is a file of this machine; put it into the folder of the data."
        )
    for name, text in texts(plain):
        if _PASSWORD.search(text):
            raise SettingsError(
                f"{name}: holds a password, and a run's settings are shown to everybody who sees the run. Pods are "
                "given theirs by the secrets reenact-s3 and reenact-mlflow."
            )


def setting(plain: Mapping[str, Any], name: str) -> Any:
    """The value of `block.key.key`."""
    value: Any = plain
    for key in name.split("."):
        value = value[key]
    return value


def texts(plain: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the settings with its dotted name; entries of a list have the list's."""
    if isinstance(plain, Mapping):
        for key, value in plain.items():
            yield from texts(value, f"{name}.{key}" if name else str(key))
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from texts(value, name)
    elif isinstance(plain, str):
        yield name, plain


def _address(plain: Mapping[str, Any], name: str) -> str:
    """What to say where the same can be given by address."""
    outer, _, last = name.rpartition(".")
    return (
        f", or give its address and checksum ({outer}.url)" if last == "file" and "url" in setting(plain, outer) else ""
    )
