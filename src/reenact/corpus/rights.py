"""Licence and consent: what the sources of the clips state, counted, the strictest first."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.tables import FORMAT

FACTS = ("licence", "consent", "source", "contact")
_LISTED = 50
NOT_STATED = "not stated"
_UNKNOWN = frozenset({"", "unknown", "nan", "none", "?", "n/a", "todo"})
_NOT_GIVEN = frozenset({"false", "no"})
_TAKEN_BACK = re.compile(r"withdrawn|revoked|refused|denied", re.IGNORECASE)
# From the strictest: what a text says of its use, in the words of common licences.
_STRICTNESS = (
    ("research only", re.compile(r"research|academic|non[- ]?commercial|\bnc\b|\bby-nc", re.IGNORECASE)),
    ("restricted", re.compile(r"all rights reserved|proprietary|no[- ]?deriv|\bnd\b", re.IGNORECASE)),
    ("share alike", re.compile(r"share[- ]?alike|\bsa\b|gpl", re.IGNORECASE)),
    ("attribution", re.compile(r"\bcc[- ]?by|attribution|\bmit\b|apache|bsd", re.IGNORECASE)),
    ("free", re.compile(r"cc0|public domain", re.IGNORECASE)),
)
_ORDER = (NOT_STATED, *(name for name, _ in _STRICTNESS[:2]), "unclear", *(name for name, _ in _STRICTNESS[2:]))


def stated(values: pd.Series) -> pd.Series:
    """Whether each text says anything."""
    return ~_plain(values).isin(_UNKNOWN)


def given(consent: pd.Series) -> pd.Series:
    """Whether each consent was given: something is stated, and it is no refusal."""
    return stated(consent) & ~taken_back(consent)


def taken_back(consent: pd.Series) -> pd.Series:
    """Whether each consent was refused or withdrawn: such a clip may not be used, whatever is required."""
    plain = _plain(consent)
    return plain.str.contains(_TAKEN_BACK) | plain.isin(_NOT_GIVEN)


def strictness(licence: str) -> str:
    """What a licence's text allows, by its words: `research only`, `restricted`, ...; `unclear` where they say nothing.

    A reading aid, no legal advice: the text itself is what holds.
    """
    if licence.strip().lower() in (*_UNKNOWN, NOT_STATED):
        return NOT_STATED
    return next((name for name, pattern in _STRICTNESS if pattern.search(licence)), "unclear")


def rights_of(clips: pd.DataFrame) -> dict[str, Any]:
    """What `validated/rights.json` holds; see docs/architecture.md."""
    record: dict[str, Any] = {"format": FORMAT}
    for name in FACTS:
        entries = _counted(clips, name)
        if name == "licence":
            entries = [{**entry, "allows": strictness(entry["text"])} for entry in entries]
            entries.sort(key=lambda entry: _ORDER.index(entry["allows"]))
        record[name] = _most(entries)
    return record | {"says": rights_sentence(record, len(clips))}


def read_rights(validated: Path) -> dict[str, Any]:
    """`rights.json` of a folder that validate_data wrote; a split made by hand comes without."""
    path = validated / "rights.json"
    unknown = {**dict.fromkeys(FACTS, ()), "says": "Licence and consent of the clips are not recorded."}
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else unknown


def rights_sentence(record: dict[str, Any], clips: int) -> str:
    """Licences and consent of the corpus in a sentence or two, for model cards."""
    licences = [f"{_short(entry)} ({entry['clips']} of {clips} clips)" for entry in record["licence"]]
    consents = [f"{_short(entry)} ({entry['clips']})" for entry in record["consent"]]
    words = f"Licence of the clips, the strictest first: {_few(licences)}. Consent: {_few(consents)}."
    if any(entry["allows"] == "research only" for entry in record["licence"]):
        words += " Some of them may be used for research only, and so may what was trained on them."
    return words


def _counted(clips: pd.DataFrame, name: str) -> list[dict[str, Any]]:
    """How many clips and identities state which text, the most frequent first."""
    texts = clips[name] if name in clips else pd.Series("", index=clips.index)
    texts = texts.fillna("").astype(str).str.strip().where(stated(texts), NOT_STATED)
    groups = clips.groupby(texts.rename("text"))
    entries = [
        {"text": str(text), "clips": len(group), "identities": int(group["identity"].nunique())}
        for text, group in groups
    ]
    return sorted(entries, key=lambda entry: (-entry["clips"], entry["text"]))


def _most(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All but the rarest of very many: a source may be an address per clip."""
    rest = entries[_LISTED:]
    if not rest:
        return entries
    total = {key: sum(int(entry[key]) for entry in rest) for key in ("clips", "identities")}
    return [*entries[:_LISTED], {"text": f"{len(rest)} others", **total}]


def _short(entry: dict[str, Any], most: int = 100) -> str:
    text = " ".join(entry["text"].split())
    return text if len(text) <= most else f"{text[:most]}..."


def _few(texts: list[str], most: int = 5) -> str:
    return (
        ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "") if texts else "none"
    )


def _plain(values: pd.Series) -> pd.Series:
    return values.fillna("").astype(str).str.strip().str.lower()
