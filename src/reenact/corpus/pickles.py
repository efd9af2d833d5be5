"""Pickles that data sets come with, read without running what they name."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from reenact.errors import BadInput


def read_pickle(path: Path) -> Any:
    """The contents of a pickle of plain containers, numbers, text and numpy arrays, written by Python 2 or 3.

    A pickle is a program; here it may call nothing but what rebuilds an array. Raises BadInput for everything else.
    """
    try:
        with path.open("rb") as stream:
            return _PlainUnpickler(stream, encoding="latin1").load()
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}).") from None
    # What a damaged stream of instructions can raise is not bounded by the documentation of pickle.
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(f"{path}: this pickle is damaged or holds more than plain data ({said}).") from None


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _ALLOWED.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only plain data is read")
        return known


class _ArrayType:
    """Stands for numpy.ndarray, which a hostile file could otherwise call with any size."""


def _empty_array(*_: Any) -> np.ndarray:
    """In place of numpy's: the shape comes with the contents, which have to fit it."""
    return np.empty(0, dtype=np.int8)


def _latin1(text: str, *_: Any) -> bytes:
    return text.encode("latin1")


def _scalar(dtype: np.dtype, data: bytes = b"") -> Any:
    if dtype.hasobject:
        raise pickle.UnpicklingError("an object where a number should be")
    return np.frombuffer(data, dtype=dtype, count=1)[0]


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}
