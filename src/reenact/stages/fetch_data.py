"""Bring the videos into the corpus: find them, name clips and identities, record where they come from."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from reenact.atomic import atomic_folder
from reenact.config import Settings
from reenact.corpus.layouts.bring import Bringer, copy
from reenact.corpus.layouts.catalogue import choose, layout_named
from reenact.corpus.layouts.found import LayoutOptions
from reenact.corpus.layouts.names import printable
from reenact.corpus.layouts.selection import LimitSettings, Taken, exclude, limit, named_apart, read_exclusions
from reenact.corpus.layouts.tree import Tree, walk
from reenact.corpus.shards import write_stage
from reenact.corpus.sources.materialise import SourceSettings, materialise
from reenact.corpus.sources.names import problem_with, shown
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput, SettingsError
from reenact.hashing import hash_file
from reenact.progress import progress
from reenact.stages.result import StageResult

CLIP_COLUMNS = (
    "clip", "file", "member", "kind", "layout", "identity", "sha256", "bytes", "licence", "consent", "source",
    "contact", "official_split", "annotation", "excluded",
)  # fmt: skip
QUARANTINE_COLUMNS = ("clip", "file", "stage", "reason")
SOURCE_FILE = "source.yaml"
STAGE = "fetch_data"


class FetchDataSettings(SourceSettings):
    """Which videos, and how they come into the corpus; `cache`, `s3` and `archive` are the sources' own."""

    videos: str = ""  # folder of the data, an archive, s3://BUCKET/PREFIX or dvc://REPO; empty: the rendered clips
    layout: str = "auto"  # how the data lies there; auto: found by looking, `reenact data inspect` says which
    options: LayoutOptions = LayoutOptions()
    exclude: str = ""  # list of clips, files and frames to leave out, in the folder of the data or from here
    limit: LimitSettings = LimitSettings()
    # auto: rendered clips are linked, people's own files are copied. A hard link shares its contents and its
    # permissions with the original, and DVC makes what it stores read-only.
    link: Literal["auto", "hard", "copy"] = "auto"


class SourceFacts(Settings):
    """`source.yaml` beside the videos, or in a folder below: it holds for what lies there and deeper."""

    licence: str = ""
    consent: str | bool = ""
    source: str = ""
    contact: str = ""


def fetch_data(*, videos: Path | str, out: Path, settings: FetchDataSettings) -> StageResult:
    """Fill `out` with the clips of a source and their table; a rendered folder passes with its truth files.

    Videos are copied or linked, pictures packed (corpus/packs.py); what can't be read is in `quarantine.parquet`.
    """
    material = materialise(str(videos), settings)
    notes = [_note("", skipped.file, skipped.reason) for skipped in material.skipped]
    with atomic_folder(Path(out)) as folder:
        if (material.folder / "clips.parquet").exists():
            layout, rows = "rendered", list(_rendered(material.folder, folder, link=settings.link))
        else:
            layout, rows, noted = _found(material.folder, folder, settings)
            notes += noted
        table = pd.DataFrame(rows)
        table = table.reindex(columns=[*CLIP_COLUMNS, *sorted(set(table.columns) - set(CLIP_COLUMNS))]).fillna("")
        write_table(folder / "clips.parquet", table, kind="videos")
        quarantine = pd.DataFrame(notes, columns=list(QUARANTINE_COLUMNS), dtype=str)
        write_table(folder / "quarantine.parquet", quarantine, kind="quarantine")
        write_stage(folder, kind="videos", clips=len(rows), rendered=layout == "rendered", layout=layout)
    counts = {
        "clips": len(rows),
        "identities": table["identity"].nunique(),
        "bytes": int(table["bytes"].sum()),
        "refused": len({note["clip"] for note in notes} - set(table["clip"])),
    }
    return StageResult(
        stage=STAGE,
        counts={name: float(value) for name, value in counts.items()},
        notes=tuple(note["reason"] for note in notes),
    )


def _rendered(videos: Path, folder: Path, *, link: str) -> Iterator[dict[str, Any]]:
    """A folder that is in our form already; what stands in its table comes along."""
    table = read_table(videos / "clips.parquet", kind="videos").sort_values("clip")
    for values in table.to_dict("records"):
        row: dict[str, Any] = {str(name): value for name, value in values.items()}
        file = videos / row["file"]
        linked = link == "hard" or (link == "auto" and row.get("source") == "rendered")
        for name in (row["file"], *str(row.get("annotation", "")).split()):
            if problem := problem_with(str(name)) or ("" if (videos / name).is_file() else "there is no such file"):
                raise BadInput(
                    f"{videos / 'clips.parquet'}: {row['clip']}: {shown(str(name))}: {problem}. Take the folder as it "
                    "was written, or remove clips.parquet to have it looked through anew."
                )
        labels = [videos / name for name in str(row.get("annotation", "")).split()]
        beside = [path for path in (file.with_suffix(".truth.npz"), file.with_suffix(".scene.json")) if path.exists()]
        for path in (file, *beside, *labels):
            if not (folder / path.relative_to(videos)).exists():
                copy(path, folder / path.relative_to(videos), link=linked)
        if not row.get("member"):
            row |= {"sha256": hash_file(folder / row["file"]), "bytes": (folder / row["file"]).stat().st_size}
        yield {"kind": "video", "layout": "rendered", **row}


def _found(
    videos: Path, folder: Path, settings: FetchDataSettings
) -> tuple[str, list[dict[str, Any]], list[dict[str, str]]]:
    """(layout, rows of the table of clips, rows of quarantine)."""
    tree = walk(videos)
    name = choose(tree, settings.layout)
    layout = layout_named(name)
    taken, unused = _taken(tree, name, settings)
    if not taken:
        raise BadInput(f"{videos}: nothing to use as {layout.TITLE}. Check fetch_data.videos, layout and exclude.")
    facts = layout.facts(tree, settings.options)
    sources = _Sources(tree, SourceFacts(licence=facts.licence, source=layout.TITLE if facts.licence else ""))
    bringer = Bringer(folder, root=videos, options=settings.options, link=settings.link == "hard")
    folders = {one.clip.clip: one.clip.files[0].parent for one in taken}
    rows = [
        {**row, "layout": name, **sources.of(folders[row["clip"]])}
        for row in progress(bringer.bring(taken), "fetch data: clips", total=len(taken))
    ]
    if not rows:
        raise BadInput(f"{videos}: not one of {len(taken)} clips can be read, first: {bringer.notes[0][2]}")
    notes = [_note(*note) for note in bringer.notes]
    notes += [
        _note("", printable(path), f"{printable(path)}: no file: a link to nothing, a pipe, or closed to us.")
        for path in tree.broken
    ]
    notes += [
        _note("", settings.exclude, f"{settings.exclude}: nothing here is named {line}.") for line in sorted(unused)
    ]
    return name, rows, notes


def _note(clip: str, file: str, reason: str) -> dict[str, str]:
    return {"clip": clip, "file": file, "stage": STAGE, "reason": reason}


def _taken(tree: Tree, name: str, settings: FetchDataSettings) -> tuple[list[Taken], set[str]]:
    """The clips that are used, and the lines of the list of exclusions that name nothing."""
    excluded = read_exclusions(_exclusions(tree.root, settings.exclude)) if settings.exclude else {}
    unused = set(excluded)
    found = named_apart(layout_named(name).find(tree, settings.options))
    return limit(list(exclude(found, excluded, tree.root, unused)), settings.limit), unused


def _exclusions(videos: Path, name: str) -> Path:
    return videos / name if (videos / name).exists() else Path(name)


class _Sources:
    """What is known of rights, by folder: the nearest source.yaml above, value by value."""

    def __init__(self, tree: Tree, default: SourceFacts) -> None:
        self._root = tree.root
        self._known = {tree.root: _source_facts(tree.root, default)}

    def of(self, folder: Path) -> dict[str, str]:
        facts = self._facts(folder)
        return {
            "licence": facts.licence,
            "consent": str(facts.consent),
            "source": facts.source,
            "contact": facts.contact,
        }

    def _facts(self, folder: Path) -> SourceFacts:
        if folder not in self._known:
            above = folder.parent if folder.is_relative_to(self._root) else self._root
            self._known[folder] = _source_facts(folder, self._facts(above))
        return self._known[folder]


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
