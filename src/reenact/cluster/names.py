"""Names and label values as Kubernetes takes them; what is too long is shortened, and stays different by a hash."""

import hashlib
import re

_HASH = 8  # hex digits that keep shortened names apart


def k8s_name(text: str, limit: int = 63) -> str:
    """A DNS-1123 name: lower case letters, digits and dashes, letters or digits at both ends.

    The same text always gives the same name; a text that had to be changed or cut carries a hash of itself.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain if plain and plain == text and len(plain) <= limit else _hashed(plain, text, limit)


def label_value(text: str, limit: int = 63) -> str:
    """A label's value: letters, digits, dashes, dots and underscores, letters or digits at both ends, or nothing."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return plain if plain == text and len(plain) <= limit else _hashed(plain, text, limit)


def _hashed(plain: str, text: str, limit: int) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH]
    start = plain[: limit - _HASH - 1].rstrip("-._")
    return f"{start}-{digest}" if start else digest
