"""The repack of IJB-C that most people hold: loose_crop/1.jpg, ... and meta/ijbc_face_tid_mid.txt."""

from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name
from reenact.corpus.layouts.tables import read_words
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "IJB-C, repacked as loose crops"
_MEDIA, _PAIRS = ("ijbc_face_tid_mid.txt", "ijbb_face_tid_mid.txt"), "ijbc_template_pair_label.txt"


def recognise(tree: Tree) -> float | None:
    """Loose crops and the table of their templates."""
    return 0.95 if tree.folders("loose_crop") and tree.named(*_MEDIA) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per crop; a person is what the pairs of templates call the same one. Column `media`: its media id."""
    people = _people(tree)
    media = {words[0]: (words[1], words[2]) for path in tree.named(*_MEDIA)[:1] for words in read_words(path)
             if len(words) >= 3}  # fmt: skip
    for below in tree.folders("loose_crop")[:1]:
        for folder, name in tree.having(PICTURE_SUFFIXES, below=below):
            template, medium = media.get(name, ("", ""))
            yield FoundClip(
                clip=clip_name(stem_of(name)),
                identity=f"ijbc-{people.get(template, template)}" if template else "",
                kind="still",
                files=(tree.path(folder, name),),
                columns={"template": template, "media": medium},
            )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """No video in it."""
    pairs = () if tree.named(_PAIRS) else (f"meta/{_PAIRS}: without it every template is a person of its own",)
    return LayoutFacts(
        licence="IJB-C: research only, terms of NIST; no longer given out",
        missing=("video: this repack has none, single crops only", *pairs),
        notes=(
            "no published result on IJB-C videos can be repeated with it; take VoxCeleb2 to train, and these pictures "
            "to test with, or the frames of NIST's package",
            "templates that no pair calls the same count as different people, so a person may be in two splits",
        ),
        settings=("fetch_data.layout=ijbc_repack", "extract_frames.min_frames=1"),
    )


def _people(tree: Tree) -> dict[str, str]:
    """Template -> the first template of its person, joined by the pairs that are labelled as the same person."""
    first: dict[str, str] = {}

    def root(template: str) -> str:
        while (above := first.get(template, template)) != template:
            first[template] = first.get(above, above)
            template = above
        return template

    for path in tree.named(_PAIRS)[:1]:
        for words in read_words(path):
            if len(words) == 3 and words[2] == "1":
                one, other = sorted((root(words[0]), root(words[1])), key=lambda name: (len(name), name))
                first[other] = one
    return {template: root(template) for template in list(first)}
