"""CelebA (Liu et al. 2015): pictures with identities and a partition, in the tree Img/Anno/Eval or flat."""

from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name
from reenact.corpus.layouts.pictures import STILLS
from reenact.corpus.layouts.tables import read_words
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "CelebA"
_ALIGNED = ("img_align_celeba", "img_align_celeba_png")
_WILD = ("img_celeba",)
_IDENTITIES = ("identity_CelebA.txt", "identity_celeba.txt")
_PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")
_SPLITS = {"0": "train", "1": "val", "2": "test"}
_NOT_READ = {
    "list_landmarks_align_celeba.txt": "the five points are not the 68 landmarks; label_landmarks makes those",
    "list_attr_celeba.txt": "the 40 attributes are not read",
}


def recognise(tree: Tree) -> float | None:
    """One of its folders of pictures, or of its tables with pictures."""
    if _folders(tree, _ALIGNED) or _folders(tree, _WILD):
        return 0.95
    return None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per picture of the chosen kind, named after its number."""
    identities, splits = _table(tree, _IDENTITIES), _table(tree, _PARTITION)
    for folder in _folders(tree, _chosen(tree, options)):
        for inside, name in tree.having(PICTURE_SUFFIXES, below=folder):
            stem = stem_of(name)
            yield FoundClip(
                clip=clip_name(stem),
                identity=f"celeba-{identities[stem]}" if stem in identities else "",
                kind="still",
                files=(tree.path(inside, name),),
                official_split=_SPLITS.get(splits.get(stem, ""), ""),  # type: ignore[arg-type]
            )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Research only; identities come on request."""
    missing = []
    if not tree.named(*_IDENTITIES):
        missing.append("identity_CelebA.txt: without it every picture is a person of its own, and no two make a pair")
    if not tree.named(*_PARTITION):
        missing.append("list_eval_partition.txt: without it the split goes by identity")
    missing += [f"{name}: {what}" for name, what in _NOT_READ.items() if tree.named(name)]
    return LayoutFacts(
        licence="CelebA: non-commercial research only",
        missing=tuple(missing),
        notes=(STILLS,),
        settings=("fetch_data.layout=celeba", f"fetch_data.options.pictures={options.pictures}"),
    )


def _chosen(tree: Tree, options: LayoutOptions) -> tuple[str, ...]:
    """Where the wanted kind is not there, the other one."""
    wanted, other = (_WILD, _ALIGNED) if options.pictures == "wild" else (_ALIGNED, _WILD)
    return wanted if _folders(tree, wanted) else other


def _folders(tree: Tree, names: tuple[str, ...]) -> list[str]:
    """The outermost folders of these names that hold pictures; copies pack the folder into one of its own name."""
    found = [folder for name in names for folder in tree.folders(name)]
    outer = [folder for folder in found if not any(folder.startswith(f"{other}/") for other in found)]
    held = [folder for folder in outer if next(tree.having(PICTURE_SUFFIXES, below=folder), None)]
    return held[:1]


def _table(tree: Tree, names: tuple[str, ...]) -> dict[str, str]:
    """Picture's number -> value, of a table without header or with a counting one."""
    paths = tree.named(*names)
    rows = read_words(paths[0]) if paths else iter(())
    return {stem_of(words[0]): words[1] for words in rows if len(words) == 2 and words[1].isdigit()}
