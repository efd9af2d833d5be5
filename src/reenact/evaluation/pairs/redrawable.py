"""Which clips can be drawn again: those with a scene beside their video."""

from pathlib import Path

from reenact.corpus.corpus import Corpus


def scene_files(corpus: Corpus, videos: Path | None) -> dict[str, Path]:
    """clip -> its video's `.scene.json`, for those that have one. Tracks of one video share its scene."""
    if videos is None:
        return {}
    table = corpus.table
    names = table["video"] if "video" in table else table["clip"]
    found = {str(clip): videos / f"{video}.scene.json" for clip, video in zip(table["clip"], names, strict=True)}
    return {clip: path for clip, path in found.items() if path.is_file()}


def scenes_of(corpus: Corpus, videos: Path | None) -> frozenset[str]:
    """The clips that can be drawn again."""
    return frozenset(scene_files(corpus, videos))
