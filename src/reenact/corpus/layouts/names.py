"""Names of clips that are safe as names of files, and pictures in the order of their numbers."""

import hashlib
import re
import unicodedata

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_LONGEST = 120  # bytes; file systems take 255, and stages append to the name
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


def clip_name(*parts: str) -> str:
    """The parts joined by "--", as a name of letters, digits and ". + = @ - _": what is lost is replaced by a hash.

    "~" is kept for the tracks of a clip. Equal parts give equal names on every machine.
    """
    whole = "--".join(parts)
    plain = re.sub(r"\s+", "_", unicodedata.normalize("NFC", whole))
    safe = re.sub(r"[^\w.+=@-]+", "_", plain).lstrip(".-")
    if safe == plain and safe and len(safe.encode()) <= _LONGEST:
        return safe
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = safe.encode()[: _LONGEST - 9].decode(errors="ignore").rstrip("_")
    return f"{kept}-{mark}" if kept else mark


def person_name(name: str) -> str:
    """A name of a person as text that any table takes; "~" is kept for further people of one video."""
    return re.sub(r"\s+", " ", printable(name)).replace("~", "-").strip()


def printable(name: str) -> str:
    """A file's name as text for people and tables: bytes that are no text and control characters are spelt out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def number_of(stem: str) -> int | None:
    """The last number in a name, None where there is none or it is a code rather than a count."""
    found = _NUMBER.search(stem)
    return int(found[1]) if found and len(found[1]) <= 9 else None


def in_order(names: tuple[str, ...] | list[str]) -> list[str]:
    """By the last number of the name, then by name: 2.png before 10.png."""
    return sorted(names, key=lambda name: (number_of(name.rpartition(".")[0]) or 0, name))
