"""Bring the videos into the corpus: find them, name clips and identities, record where they come from."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from reenact.atomic import atomic_folder
from reenact.config import Settings
from reenact.corpus.shards import write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.corpus.video import VIDEO_SUFFIXES
from reenact.errors import BadInput, SettingsError
from reenact.hashing import hash_file
from reenact.stages.result import StageResult

CLIP_COLUMNS = ("clip", "file", "identity", "sha256", "bytes", "licence", "consent", "source", "official_split")
QUARANTINE_COLUMNS = ("clip", "file", "stage", "reason")
SOURCE_FILE = "source.yaml"


class FetchDataSettings(Settings):
    """Which videos, and how they come into the corpus."""

    videos: str = ""  # folder of videos, or of one folder per person; empty: the rendered clips
    # auto: rendered clips are linked, people's own files are copied. A hard link shares its contents and its
    # permissions with the original, and DVC makes what it stores read-only.
    link: Literal["auto", "hard", "copy"] = "auto"


class SourceFacts(Settings):
    """`source.yaml` beside the videos, or in a person's folder."""

    licence: str = ""
    consent: str | bool = ""
    source: str = ""
    contact: str = ""


def fetch_data(*, videos: Path, out: Path, settings: FetchDataSettings) -> StageResult:
    """Fill `out` with the videos of a folder and the table of clips; a rendered folder passes with its truth files."""
    videos, out = Path(videos), Path(out)
    if not videos.is_dir():
        raise BadInput(
            f"{videos}: there is no such folder. Run render-clips first, or set fetch_data.videos to your own."
        )
    rendered = (videos / "clips.parquet").exists()
    rows = list(_rendered(videos) if rendered else _found(videos))
    if not rows:
        kinds = " ".join(sorted(VIDEO_SUFFIXES))
        raise BadInput(
            f"{videos}: no videos here (looked for {kinds}, also one folder deeper). Check fetch_data.videos."
        )
    link = settings.link == "hard" or (settings.link == "auto" and rendered)
    with atomic_folder(out) as folder:
        for row in rows:
            for origin, name in row.pop("copies"):
                _bring(origin, folder / name, link=link)
            path = folder / row["file"]
            row["sha256"], row["bytes"] = hash_file(path), path.stat().st_size
        write_table(folder / "clips.parquet", pd.DataFrame(rows)[list(CLIP_COLUMNS)], kind="videos")
        write_table(
            folder / "quarantine.parquet", pd.DataFrame(columns=list(QUARANTINE_COLUMNS), dtype=str), kind="quarantine"
        )
        write_stage(folder, kind="videos", clips=len(rows), rendered=rendered)
    counts = {
        "clips": len(rows),
        "identities": len({row["identity"] for row in rows}),
        "bytes": sum(row["bytes"] for row in rows),
    }
    return StageResult(stage="fetch_data", counts={name: float(value) for name, value in counts.items()})


def _rendered(videos: Path) -> Iterator[dict[str, Any]]:
    table = read_table(videos / "clips.parquet", kind="videos").sort_values("clip")
    for values in table.to_dict("records"):
        row: dict[str, Any] = {str(name): value for name, value in values.items()}
        file = videos / row["file"]
        beside = [path for path in (file.with_suffix(".truth.npz"), file.with_suffix(".scene.json")) if path.exists()]
        yield {**row, "copies": [(path, path.relative_to(videos).as_posix()) for path in (file, *beside)]}


def _found(videos: Path) -> Iterator[dict[str, Any]]:
    """Videos directly in the folder are their own identity; those in a person's folder are that person's."""
    facts = {videos: _source_facts(videos, SourceFacts())}
    taken: set[str] = set()
    for path in sorted(videos.rglob("*")):
        parts = path.relative_to(videos).parts
        if (
            path.suffix.lower() not in VIDEO_SUFFIXES
            or not path.is_file()
            or any(part.startswith(".") for part in parts)
        ):
            continue
        stem = "--".join([*parts[:-1], path.stem])
        clip = stem if stem not in taken else f"{stem}{path.suffix.replace('.', '-')}"
        taken.add(clip)
        person = videos / parts[0] if len(parts) > 1 else videos
        if person not in facts:
            facts[person] = _source_facts(person, facts[videos])
        name = f"{clip}{path.suffix.lower()}"
        yield {
            "clip": clip,
            "file": name,
            "identity": parts[0] if len(parts) > 1 else path.stem,
            "licence": facts[person].licence,
            "consent": str(facts[person].consent),
            "source": facts[person].source,
            "official_split": "",
            "copies": [(path, name)],
        }


def _source_facts(folder: Path, inherited: SourceFacts) -> SourceFacts:
    path = folder / SOURCE_FILE
    if not path.exists():
        return inherited
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: this is not YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path}: expected lines like `licence: CC-BY-4.0`.")
    return SourceFacts.parse({**inherited.plain(), **values}, where=str(path))


def _bring(origin: Path, path: Path, *, link: bool) -> None:
    """A hard link where wanted and possible (same file system), else a copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(origin.resolve(), path)
            return
        except OSError:
            pass
    shutil.copyfile(origin, path)
