"""What `reenact labels compare` does: labels made by several backends on the same frames, or found in two folders."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reenact.config import nearest
from reenact.corpus.shards import read_stage
from reenact.errors import BadInput, SettingsError
from reenact.labelling.agreement import agreement
from reenact.labelling.backends import ACTION_LABELLERS, LANDMARK_LABELLERS
from reenact.labelling.label_sets import LabelSet, StoredLabels, TrueLabels
from reenact.params import Params
from reenact.steps import arguments, call_stage

TRUTH = "truth"  # of rendered clips
NAMES = tuple(dict.fromkeys((*LANDMARK_LABELLERS, *ACTION_LABELLERS, TRUTH)))


def on_frames(
    names: Sequence[str], params: Params, *, videos: str, work: Path | None, root: Path
) -> list[dict[str, Any]]:
    """Label frames with every backend and compare each with the first.

    The frames are those below `root`, or of `videos` (`fetch_data.videos` of the settings). `work` keeps what is made.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise SettingsError("--backends: name two or more, each once, as --backends dlib,synthetic.")
    pairs = {name: chosen(name, params) for name in names}
    with nullcontext(work) if work else TemporaryDirectory(prefix="reenact-") as folder:
        place = Path(folder)
        if videos:
            root = place
            _run("fetch_data", params, out=root / "videos", folders={})
            _run("extract_frames", params, out=root / "frames", folders={"videos": root / "videos"})
        return compared({name: _made(pair, params, work=place, root=root) for name, pair in pairs.items()})


def compared(sets: dict[str, LabelSet]) -> list[dict[str, Any]]:
    """Each of the sets with the first one."""
    (reference, first), *others = sets.items()
    return [{"label": name, "reference": reference, **agreement(labels, first)} for name, labels in others]


def chosen(name: str, params: Params) -> tuple[str, str]:
    """Backends of landmarks and of action units that a name stands for; raises SettingsError for an unknown one.

    LANDMARKS+ACTIONS says both. A name alone takes the fit, or the landmarks of the settings, for what it doesn't do.
    """
    plain = params.plain()
    configured = str(plain["label_landmarks"]["backend"])
    points, plus, units = name.partition("+")
    if plus:
        for one, kind, known in ((points, "landmark", LANDMARK_LABELLERS), (units, "action unit", ACTION_LABELLERS)):
            if one not in known:
                raise SettingsError(f'--backends {name}: no {kind} backend "{one}"{nearest(one, known)}')
        return points, units
    if name not in NAMES:
        raise SettingsError(f'--backends: no backend "{name}"{nearest(name, NAMES)}')
    if name == TRUTH:
        return TRUTH, TRUTH
    if name == "external":
        programs = [bool(plain[block]["external"]["command"]) for block in ("label_landmarks", "label_actions")]
        if not any(programs):
            raise SettingsError(
                "--backends external: no program is named. Set label_landmarks.external.command, "
                "label_actions.external.command, or both."
            )
        return name if programs[0] else configured, name if programs[1] else "fit"
    return name if name in LANDMARK_LABELLERS else configured, name if name in ACTION_LABELLERS else "fit"


def stored(root: Path) -> StoredLabels:
    """The labels in the folders below `root`."""
    if not root.is_dir():
        raise BadInput(f"{root}: there is no such folder.")
    actions, segments = root / "actions", root / "segments"
    cut = segments.is_dir() and read_stage(segments, kind="segments").get("made")
    return StoredLabels(
        root / "frames", root / "landmarks", actions if actions.is_dir() else None, segments if cut else None
    )


def _made(pair: tuple[str, str], params: Params, *, work: Path, root: Path) -> LabelSet:
    given = {"videos": root / "videos", "frames": root / "frames"}
    if pair == (TRUTH, TRUTH):
        return TrueLabels(given["frames"], given["videos"])
    points, units = pair
    landmarks, actions = work / f"landmarks-{points}", work / f"actions-{points}-{units}"
    _run("label_landmarks", params, out=landmarks, folders=given, backend=points)
    _run("label_actions", params, out=actions, folders={**given, "landmarks": landmarks}, backend=units)
    return StoredLabels(given["frames"], landmarks, actions)


def _run(stage: str, params: Params, *, out: Path, folders: dict[str, Path], **settings: Any) -> None:
    from reenact.progress import say

    told = arguments(params, stage)
    told["settings"] |= settings
    for note in call_stage(stage, out=out, told=told, folders=folders).notes:
        say(f"{out.name}: {note}")
