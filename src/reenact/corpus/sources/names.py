"""Names that come from outside (archive members, object keys) and may become paths below a folder of ours."""

import os
import re
import unicodedata

LONGEST_PART = 255  # bytes, of every file system in use
LONGEST_NAME = 1000


def problem_with(name: str) -> str:
    """Why a relative name with `/` between its parts can't be a path below a folder; "" where it can."""
    parts = name.split("/")
    if not name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "an absolute path"
    if ".." in parts:
        return "a path that leads out of the folder (..)"
    if any(part in ("", ".") for part in parts):
        return "a path with empty parts"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "a name that is not UTF-8"
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return "a name with control characters"
    if "\\" in name:
        return "a name with a backslash"
    if len(name.encode()) > LONGEST_NAME or max(len(part.encode()) for part in parts) > LONGEST_PART:
        return "a name that is too long"
    return ""


def shown(name: str, limit: int = 120) -> str:
    """A name fit for a sentence: what can't be printed is escaped, what is too long is shortened."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in name
    )
    return text if len(text) <= limit else f"{text[: limit - 20]}...{text[-17:]}"


def redacted(text: str) -> str:
    """Without the user and password of an address, and without what the environment holds as a secret."""
    text = re.sub(r"://[^/@\s]+@", "://***@", text)
    secrets = (value for key, value in os.environ.items() if re.search(r"SECRET|TOKEN|PASSWORD", key))
    for secret in secrets:
        if len(secret) >= 8:
            text = text.replace(secret, "***")
    return text
