"""What a folder holds, counted cheaply, for a person who decides how to use it."""

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from reenact.corpus.layouts.catalogue import candidates, choose, layout_named
from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import printable
from reenact.corpus.layouts.selection import named_apart
from reenact.corpus.layouts.tree import walk
from reenact.corpus.video import open_video
from reenact.errors import BadInput

SAMPLED = 40  # videos whose container is asked for its number of frames


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`frames` is counted where `asked` is the number of videos, else scaled up from those asked."""

    folder: str
    layout: str
    title: str
    also: tuple[str, ...]  # further layouts that would read it
    identities: int
    clips: dict[str, int]  # by kind
    frames: int
    asked: int
    unreadable: tuple[str, ...]  # of those asked
    splits: dict[str, int]  # identities by official split
    labels: dict[str, int]  # clips by what the data set brings
    facts: LayoutFacts
    broken: tuple[str, ...]
    stated: bool  # a source.yaml lies there

    def settings(self) -> tuple[str, ...]:
        """What to run with."""
        return tuple(dict.fromkeys((f"fetch_data.videos={_as_yaml(self.folder)}", *self.facts.settings)))


def inspect_folder(
    folder: Path, layout: str = "auto", options: LayoutOptions | None = None, *, name: str = ""
) -> Inspection:
    """Recognise and count; raises BadInput where nothing is recognised or the layout finds nothing.

    `name` is what the person calls the folder, an address perhaps.
    """
    options = options or LayoutOptions()
    tree = walk(folder)
    chosen = choose(tree, layout)
    module = layout_named(chosen)
    found = list(named_apart(module.find(tree, options)))
    if not found:
        raise BadInput(f"{folder}: nothing to use as {module.TITLE}. Try another --layout.")
    frames, asked, unreadable = _frames(found, folder)
    people = {clip.identity: clip.official_split for clip in found}
    return Inspection(
        folder=name or str(folder),
        layout=chosen,
        title=module.TITLE,
        also=tuple(other for other, _ in candidates(tree) if other != chosen),
        identities=len(people),
        clips=dict(Counter(clip.kind for clip in found)),
        frames=frames,
        asked=asked,
        unreadable=unreadable,
        splits={split: count for split, count in Counter(people.values()).items() if split},
        labels=_labels(found),
        facts=module.facts(tree, options),
        broken=tuple(printable(path) for path in tree.broken),
        stated=bool(tree.named("source.yaml")),
    )


def _frames(found: Sequence[FoundClip], root: Path) -> tuple[int, int, tuple[str, ...]]:
    """(frames, videos asked, sentences of those that can't be opened)."""
    counted = sum(len(clip.files) for clip in found if clip.kind != "video")
    videos = sorted(
        (clip for clip in found if clip.kind == "video"),
        key=lambda clip: hashlib.sha256(clip.clip.encode()).hexdigest(),
    )
    claimed, unreadable = list[int](), list[str]()
    for clip in videos[:SAMPLED]:
        try:
            with open_video(clip.files[0]) as video:
                claimed.append(video.facts.frames)
        except BadInput as error:
            unreadable.append(printable(str(error).replace(f"{root}/", "")))
            claimed.append(0)
    estimate = round(sum(claimed) * len(videos) / len(claimed)) if claimed else 0
    return counted + estimate, len(claimed), tuple(unreadable)


def _labels(found: Sequence[FoundClip]) -> dict[str, int]:
    kinds = {
        "landmarks": sum(1 for clip in found if clip.pts or clip.points),
        "action units": sum(1 for clip in found if clip.actions),
        "OpenFace": sum(1 for clip in found if clip.openface),
    }
    return {kind: count for kind, count in kinds.items() if count}


def as_text(seen: Inspection) -> str:
    """The inspection in lines for a terminal."""
    also = f" (also readable as {', '.join(seen.also)})" if seen.also else ""
    videos = seen.clips.get("video", 0)
    how = ""
    if videos:
        how = (
            " (as the containers claim)"
            if seen.asked == videos
            else f" (estimated from {seen.asked} of {videos} videos)"
        )
    words = {"video": "video", "frames": "image sequence", "still": "still"}
    unstated = "as source.yaml says" if seen.stated else "not known: say it in source.yaml"
    labels = [f"{name} of {_counted(count, 'clip')}" for name, count in seen.labels.items()]
    lines = [
        f"{seen.folder}: {seen.title}, layout {seen.layout}{also}",
        f"  identities  {seen.identities:,}",
        f"  clips       {', '.join(_counted(count, words[kind]) for kind, count in seen.clips.items())}",
        f"  frames      {seen.frames:,}{how}",
        f"  splits      {', '.join(f'{name} {count:,} identities' for name, count in seen.splits.items()) or 'none'}",
        f"  labels      {', '.join(labels) or 'none'}",
        f"  licence     {seen.facts.licence or unstated}",
    ]
    for title, sentences in (
        ("missing or not read", seen.facts.missing),
        ("note", seen.facts.notes),
        ("links to nothing, or closed", seen.broken[:10]),
        ("can't be opened", seen.unreadable[:10]),
    ):
        lines += [f"  {title}:", *(f"    {sentence}" for sentence in sentences)] if sentences else []
    return "\n".join([*lines, "  use:", *(f"    -S {shlex.quote(setting)}" for setting in seen.settings())])


def _as_yaml(text: str) -> str:
    """The text as the value of a setting: in quotes where YAML would read something else in it."""
    try:
        plain = yaml.safe_load(text) == text
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
