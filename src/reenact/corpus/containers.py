"""What a video file says of itself, held against what it is: decoders shrug off what a person wants to know.

Headers only, a few kilobytes of any file; what is not understood is not judged.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_LONGEST = 48 * 3600.0  # s; who films longer than two days
_LARGEST_HEADER = 64 << 20
_INNER = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ENTRY = {b"stts": 8, b"stsc": 12, b"stco": 4, b"co64": 8}  # bytes of a table's row
_TS_PACKET = 188


def flaws(path: Path) -> list[str]:
    """What is wrong with a container, as parts of a sentence about the file; empty where nothing is seen."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(12)
            if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
                return list(dict.fromkeys(_mp4(stream, 0, size, size)))
            if head[:4] == b"RIFF":
                return list(dict.fromkeys(_avi(stream, size)))
            if head[:1] == b"G" and path.suffix.lower() in (".ts", ".mts") and size % _TS_PACKET:
                return ["it is cut off (it ends within a packet)"]
            if head[:4] == b"\x1a\x45\xdf\xa3":
                return list(_matroska(stream, size))
            if head[:4] == b"\0\0\1\xba":
                return _program_stream(stream, size)
    except (OSError, struct.error, IndexError, ValueError):
        pass
    return []


def _mp4(stream: BinaryIO, start: int, end: int, size: int) -> Iterator[str]:
    at = start
    while at + 8 <= end:
        stream.seek(at)
        length, kind = struct.unpack(">I4s", stream.read(8))
        body = at + 8
        if length == 1:
            length, body = struct.unpack(">Q", stream.read(8))[0], at + 16
        length = length or end - at
        if length < 8 or at + length > end:
            whose = "it is cut off" if at + length > size else "its header is damaged"
            yield f"{whose} (its part {_name(kind)} does not end where it says)"
            return
        if kind in _INNER:
            yield from _mp4(stream, body, at + length, size)
        elif length < _LARGEST_HEADER:
            stream.seek(body)
            yield from _mp4_facts(kind, stream.read(min(length, 64)), at + length - body)
        at += length


def _mp4_facts(kind: bytes, data: bytes, room: int) -> Iterator[str]:
    if kind in (b"mvhd", b"mdhd"):
        at = 20 if data[0] else 12
        scale = struct.unpack_from(">I", data, at)[0]
        duration = struct.unpack_from(">Q" if data[0] else ">I", data, at + 4)[0]
        unknown = duration == (0xFFFFFFFFFFFFFFFF if data[0] else 0xFFFFFFFF)
        if not scale:
            yield "its header gives no unit of time"
        elif unknown or duration / scale > _LONGEST:
            yield "its header claims an impossible length"
        elif kind == b"mdhd" and scale > 10_000_000:
            yield "its header gives an impossible unit of time"
    elif kind in _ENTRY:
        count = struct.unpack_from(">I", data, 4)[0]
        if count * _ENTRY[kind] > room - 8:
            yield f"its index of frames ({_name(kind)}) claims more than it holds"
        elif kind == b"stts" and count:
            delta = struct.unpack_from(">I", data, 12)[0]
            if delta in (0, 0xFFFFFFFF) and struct.unpack_from(">I", data, 8)[0] > 1:
                yield "its index gives frames no sensible time"
            if struct.unpack_from(">I", data, 8)[0] > 0x7FFFFFFF:
                yield "its index of frames (stts) claims more than it holds"
        elif not count:
            yield f"its index of frames ({_name(kind)}) is empty"
    elif kind == b"stsz":
        each, count = struct.unpack_from(">II", data, 4)
        if not each and count * 4 > room - 12:
            yield "its index of frames (stsz) claims more than it holds"
    elif kind == b"stsd" and data[12:16] in (b"mp4v", b"avc1", b"hvc1", b"hev1", b"av01", b"vp09", b"jpeg"):
        yield from _size(*struct.unpack_from(">HH", data, 8 + 32))


def _avi(stream: BinaryIO, size: int) -> Iterator[str]:
    stream.seek(4)
    if struct.unpack("<I", stream.read(4))[0] + 8 > size:
        yield "it is cut off (shorter than its header says)"
    stream.seek(0)
    head = stream.read(4096)
    if (at := head.find(b"avih")) >= 0:
        values = struct.unpack_from("<10I", head, at + 8)
        if values[4] > 0x7FFFFFFF:
            yield "its header claims an impossible number of frames"
        if not values[0]:
            yield "its header gives no unit of time"
        yield from _size(values[8], values[9])
    if (at := head.find(b"strh")) >= 0:
        scale, rate = struct.unpack_from("<II", head, at + 8 + 20)
        if not scale or not rate or not 0.1 <= rate / scale <= 1000:
            yield "its header claims an impossible frame rate"


def _matroska(stream: BinaryIO, size: int) -> Iterator[str]:
    """The header element, then the segment that holds all the rest and says how long it is."""
    at = 4
    for mark in (b"\x18\x53\x80\x67", b""):
        stream.seek(at)
        first = stream.read(1)[0]
        width = 9 - first.bit_length()
        value = int.from_bytes(bytes([first & ((1 << (8 - width)) - 1)]) + stream.read(width - 1), "big")
        end = at + width + value
        if value != (1 << (7 * width)) - 1 and end > size:  # all ones: the writer did not know
            yield "it is cut off (shorter than its header says)"
            return
        stream.seek(end)
        if not mark or stream.read(4) != mark:
            return
        at = end + 4


def _size(width: int, height: int) -> Iterator[str]:
    if not (0 < width <= 16384 and 0 < height <= 16384) or max(width, height) > 100 * min(width, height):
        yield f"its header claims frames of {width}x{height} pixels"


def _program_stream(stream: BinaryIO, size: int) -> list[str]:
    """Whether the last packet of an MPEG program stream is whole."""
    base = max(0, size - (1 << 17))
    stream.seek(base)
    tail = stream.read()
    at = tail.rfind(b"\0\0\1\xba")
    while 0 <= at < len(tail):
        code = tail[at + 3 : at + 4]
        if len(tail) - at < 4 or tail[at : at + 3] != b"\0\0\1":
            return [] if len(tail) - at >= 4 else ["it is cut off (it ends within a packet)"]
        if code == b"\xb9":
            return []
        if code == b"\xba":
            second = tail[at + 4 : at + 5] >= b"\x40"  # MPEG-2; else MPEG-1
            at += 14 + (tail[at + 13] & 7 if len(tail) > at + 13 else 0) if second else 12
        else:
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return ["it is cut off (it ends within a packet)"] if at > len(tail) else []


def _name(kind: bytes) -> str:
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in kind)
