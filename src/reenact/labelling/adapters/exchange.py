"""The exchange of `labelling/external.py` from the other side; needs numpy and one of Pillow, OpenCV, imageio."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def read_request() -> tuple[Path, dict[str, Any]]:
    """The folder named on the command line, and its request."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    folder = Path(sys.argv[1])
    request: dict[str, Any] = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    if request["format"] != 1:
        sys.exit(f"request in format {request['format']}: this adapter knows format 1")
    return folder, request


def pictures(request: dict[str, Any]) -> list[str]:
    """Names of all pictures, in the order of the rows of the result."""
    return [name for clip in request["clips"] for name in clip["pictures"]]


def boxes(request: dict[str, Any]) -> list[list[float]]:
    """The face's box in each picture: x0, y0, x1, y1 in pixels."""
    return [box for clip in request["clips"] for box in clip["boxes"]]


def read_picture(path: Path) -> Any:
    """RGB uint8 (H, W, 3), with whatever reads pictures here."""
    try:
        from PIL import Image

        return np.asarray(Image.open(path).convert("RGB"))
    except ImportError:
        import cv2

        return np.ascontiguousarray(np.asarray(cv2.imread(str(path)))[..., ::-1])


def write_result(folder: Path, about: str, **arrays: Any) -> None:
    """Leave the answer."""
    np.savez(folder / "result.npz", about=np.array(about), **arrays)
