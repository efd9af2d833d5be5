"""ONNX files (protobufs) of one convolution, written byte by byte: what tests of the users' networks stand on."""

import struct

import numpy as np


def onnx_bytes(weights: np.ndarray, side: int = 32, *, flat: bool = False) -> bytes:
    """A convolution (out, channels, h, w) over pictures (1, channels, side, side); `flat` adds a Flatten."""
    out, channels, height, width = weights.shape
    kernel = _field(1, "kernel_shape") + _field(8, height) + _field(8, width) + _field(20, 7)  # 7: whole numbers
    end = "maps" if flat else "scores"
    nodes = _field(1, _node("Conv", ["picture", "weights"], end) + _field(5, kernel))
    if flat:
        nodes += _field(1, _node("Flatten", ["maps"], "scores"))
    raw = struct.pack(f"<{weights.size}f", *weights.ravel())
    tensor = b"".join(_field(1, one) for one in weights.shape) + _field(2, 1) + _field(8, "weights") + _field(9, raw)
    left = (side - height + 1, side - width + 1)
    shape = (1, out * left[0] * left[1]) if flat else (1, out, *left)
    ends = _field(11, _value_info("picture", 1, channels, side, side)) + _field(12, _value_info("scores", *shape))
    graph = nodes + _field(2, "graph") + _field(5, tensor) + ends
    return _field(1, 7) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph)


def _node(kind: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def _value_info(name: str, *shape: int) -> bytes:
    dimensions = b"".join(_field(1, _field(1, one)) for one in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dimensions)))


def _field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head, value = head + bytes([value & 127 | 128]), value >> 7
    return head + bytes([value])
