"""All names below a folder, from one walk: what layouts are recognised by, at a million files too."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reenact.errors import BadInput

_SKIPPED = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Files by folder; folders are named relative to `root` with "/" between, the root itself is ""."""

    root: Path
    files: Mapping[str, tuple[str, ...]]  # every folder, sorted -> its files' names, sorted
    broken: tuple[str, ...] = ()  # links to nothing, pipes and devices, folders that can't be read

    def path(self, folder: str, name: str) -> Path:
        """Where a file lies."""
        return self.root / folder / name

    def having(self, suffixes: frozenset[str], below: str = "") -> Iterator[tuple[str, str]]:
        """(folder, name) of all files with one of these suffixes (lower case, with dot), in the order of names."""
        for folder, names in self.files.items():
            if not below or folder == below or folder.startswith(f"{below}/"):
                for name in names:
                    if suffix_of(name) in suffixes:
                        yield folder, name

    def named(self, *names: str) -> list[Path]:
        """Files of these names (in any case), wherever they lie; the shallowest first."""
        wanted = {name.lower() for name in names}
        found = [(folder, name) for folder, files in self.files.items() for name in files if name.lower() in wanted]
        return [self.path(*one) for one in sorted(found, key=lambda one: (one[0].count("/") + bool(one[0]), one))]

    def folders(self, name: str) -> list[str]:
        """Folders of this name (in any case) that hold files or folders."""
        return [folder for folder in self.files if folder.rpartition("/")[2].lower() == name.lower()]


def suffix_of(name: str) -> str:
    """The suffix in lower case with its dot, "" where there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def stem_of(name: str) -> str:
    """The name without its suffix."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def walk(root: Path) -> Tree:
    """Look through a folder once, hidden names left out; linked folders are followed, each once.

    Nothing is asked of single files but their names, so a million take seconds.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: there is no such folder.")
    files: dict[str, tuple[str, ...]] = {}
    broken: list[str] = []
    linked = {os.path.realpath(root)}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        names: list[str] = []
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    try:
                        _sort_in(entry, path, names, waiting, broken, linked)
                    except OSError:  # a link to itself, say; the others are fine
                        broken.append(path)
        except OSError:
            broken.append(folder)
        files[folder] = tuple(sorted(names))
    return Tree(root=root, files=dict(sorted(files.items())), broken=tuple(sorted(broken)))


def _sort_in(
    entry: os.DirEntry[str], path: str, names: list[str], waiting: list[str], broken: list[str], linked: set[str]
) -> None:
    if entry.name.startswith(".") or entry.name in _SKIPPED:
        return
    link = entry.is_symlink()
    if entry.is_dir():
        target = os.path.realpath(entry.path) if link else ""
        if link and target in linked:
            return
        linked.update({target} if link else ())
        waiting.append(path)
    elif entry.is_file():
        names.append(entry.name)
    else:
        broken.append(path)
