"""What each metric reacts to: pictures spoilt in one way, step by step, drawn again from their scenes.

    python benchmarks/perturbations.py [--people 6] [--frames 3] [--judge tools] [--out FILE.json]

The true picture is a frame of a rendered clip, cropped to 64 px as the demo crops. What is scored in place of a
system's picture is the same frame spoilt: blurred, or drawn with another person's looks or face shape, another pose,
another expression, elsewhere in the picture, trembling or flickering; five steps of each. Source is another frame of
the clip, driver the truth. Metrics are those of the table, read by the named judge, which is told the true face shape.

Per metric and way of spoiling: Spearman's correlation of step and value, positive where the metric gets worse, mean
over people; and the effect, how much worse the metric is at the last step, in standard deviations of such changes
between people (one figure for all ways of a metric, so that they can be compared along its row).
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.rendering.clips import Scene, invent_scene
from reenact.rendering.motion import EXPRESSIONS
from reenact.rendering.person import Person
from reenact.rendering.scene import Stage

Images = NDArray[np.uint8]
SIDE, STEPS, SCALE = 64, 5, 1.7  # px of the pictures judged, steps, crop in sizes of the landmarks' box
EQUAL = 0.0007  # mean squared error at which ways of spoiling are compared: a little less than an expression costs
POSE = np.array([4.0, 12.0, 3.0])  # degrees: away from frontal, where PSIM is noise
SHAPE = ("identity", "residual", "strength", "curve")
KEPT = ("style", "seed", "moles", "glasses", "glasses_shape", "glasses_colour")  # there is no half of these


@dataclass(frozen=True)
class Clip:
    """One person's true frames: the scene, its frame numbers, the crop (x, y, side) and a frame for the source."""

    scene: Scene
    other: Person
    numbers: tuple[int, ...]
    source: int
    crop: tuple[float, float, float]
    expression: NDArray[np.float64]  # (17,) what the last step adds


def make_clips(people: int, frames: int) -> list[Clip]:
    """Clips of people that no other clip shows; each is spoilt towards the next one's person."""
    scenes = [
        invent_scene(seed=4242, identity=i, clip=0, frames=48, fps=25.0, size=256, yaw=20.0, honest=True)
        for i in range(people + 1)
    ]
    clips = []
    for number, scene in enumerate(scenes[:-1]):
        calm = int(np.argmin(scene.motion.actions[: -frames - 1].sum(axis=1)))
        motion = replace(scene.motion, pose=scene.motion.pose - scene.motion.pose[calm] + POSE)
        scene = replace(scene, motion=motion)
        points = _stage(scene).draw(motion, calm)[1].landmarks
        centre, side = points[28], SCALE * float(np.ptp(points, axis=0).max())
        added = np.zeros(len(ACTION_UNITS))
        for name, weight in EXPRESSIONS[number % len(EXPRESSIONS)].items():
            added[ACTION_UNITS.index(name)] = MAXIMUM * weight
        crop = (float(centre[0] - side / 2), float(centre[1] - side / 2), side)
        source = (calm + 24) % len(motion)
        clips.append(Clip(scene, scenes[number + 1].person, tuple(range(calm, calm + frames)), source, crop, added))
    return clips


def _stage(scene: Scene) -> Stage:
    return Stage(scene.person, scene.surroundings, scene.motion, scene.size)


def draw(clip: Clip, scene: Scene, numbers: tuple[int, ...]) -> Images:
    """(N, 64, 64, 3): frames of a changed scene in the clip's own crop."""
    stage = _stage(scene)
    x, y, side = clip.crop
    matrix = np.array([[SIDE / side, 0, -x * SIDE / side], [0, SIDE / side, -y * SIDE / side]])
    pictures = [stage.draw(scene.motion, number)[0] for number in numbers]
    smooth = [cv2.GaussianBlur(picture, (0, 0), 0.4 * side / SIDE) for picture in pictures]  # as averaging would
    return np.stack([cv2.warpAffine(p, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE) for p in smooth]).astype(
        np.uint8
    )


def blended(person: Person, other: Person, share: float, names: Callable[[str], bool]) -> Person:
    """A person with a share of another's numbers, of those fields that `names` takes."""
    mixed: dict[str, Any] = {}
    for field in fields(Person):
        a, b = getattr(person, field.name), getattr(other, field.name)
        if names(field.name) and field.name not in KEPT and not isinstance(a, str):
            mixed[field.name] = (1 - share) * a + share * b
    return replace(person, **mixed)


def _looks(clip: Clip, share: float) -> Scene:
    return replace(clip.scene, person=blended(clip.scene.person, clip.other, share, lambda name: name not in SHAPE))


def _shape(clip: Clip, share: float) -> Scene:
    return replace(clip.scene, person=blended(clip.scene.person, clip.other, share, lambda name: name in SHAPE))


def _identity(clip: Clip, share: float) -> Scene:
    return replace(clip.scene, person=blended(clip.scene.person, clip.other, share, lambda name: True))


def _pose(clip: Clip, share: float) -> Scene:
    turned = clip.scene.motion.pose + np.array([0.0, -20.0 * share, 0.0])
    return replace(clip.scene, motion=replace(clip.scene.motion, pose=turned))


def _expression(clip: Clip, share: float) -> Scene:
    actions = np.clip(clip.scene.motion.actions + share * clip.expression, 0.0, MAXIMUM)
    return replace(clip.scene, motion=replace(clip.scene.motion, actions=actions))


def _shift(clip: Clip, share: float) -> Scene:
    moved = clip.scene.motion.drift + np.array([0.06 * share * clip.crop[2] / clip.scene.size, 0.0, 0.0])
    return replace(clip.scene, motion=replace(clip.scene.motion, drift=moved))


def _tremble(clip: Clip, share: float) -> Scene:
    signs = np.where(np.arange(len(clip.scene.motion)) % 2, 1.0, -1.0)[:, None]
    reach = 0.02 * share * clip.crop[2] / clip.scene.size
    moved = clip.scene.motion.drift + signs * np.array([reach, reach, 0.0])
    return replace(clip.scene, motion=replace(clip.scene.motion, drift=moved))


def _blur(truth: Images, share: float) -> Images:
    return np.stack([cv2.GaussianBlur(picture, (0, 0), 2.0 * share) for picture in truth]).astype(np.uint8)


def _flicker(truth: Images, share: float) -> Images:
    factors = 1.0 + 0.15 * share * np.where(np.arange(len(truth)) % 2, 1.0, -1.0)
    return np.clip(truth * factors[:, None, None, None], 0, 255).round().astype(np.uint8)


# What the last step is stands in words, for the table.
DRAWN: Mapping[str, tuple[Callable[[Clip, float], Scene], str]] = {
    "looks": (_looks, "skin, hair, beard, eyes and mouth colours of another person"),
    "shape": (_shape, "face shape of another person"),
    "identity": (_identity, "both"),
    "pose": (_pose, "20 degrees of yaw"),
    "expression": (_expression, "an expression at full height"),
    "shift": (_shift, "6 % of the picture's side"),
    "tremble": (_tremble, "2 % of the side to and fro, frame by frame"),
}
SPOILT: Mapping[str, tuple[Callable[[Images, float], Images], str]] = {
    "blur": (_blur, "sigma 2 px"),
    "flicker": (_flicker, "15 % brighter and darker, frame by frame"),
}
WAYS = ("blur", "looks", "identity", "shape", "pose", "expression", "shift", "tremble", "flicker")


def spoilt(clip: Clip, truth: Images, way: str, step: int) -> Images:
    """The true frames at a step (0: as they are) of a way."""
    if step == 0:
        return truth
    share = step / STEPS
    return SPOILT[way][0](truth, share) if way in SPOILT else draw(clip, DRAWN[way][0](clip, share), clip.numbers)


def score(clips: list[Clip], ways: tuple[str, ...], judge: str = "tools", steps: tuple[int, ...] = ()) -> pd.DataFrame:
    """A line per way, step and clip: the mean of every per-pair metric over its frames; sets over all clips."""
    from reenact.evaluation.judge import People, Reading
    from reenact.evaluation.judges import Making, make_judges
    from reenact.evaluation.metrics.catalogue import METRICS
    from reenact.evaluation.scoring import Scored

    judges = make_judges(judge, {}, Making())
    metrics = [metric for metric in METRICS.values() if judges.can_read(metric)]
    frames = len(clips[0].numbers)
    owner = np.repeat(np.arange(len(clips)), frames)
    names = [f"person-{number}" for number in owner]
    numbers = np.tile(np.arange(frames), len(clips))
    pairs = pd.DataFrame({"pair": np.arange(len(owner)), "sequence": names, "driving_clip": names,
                          "driving_frame": numbers, "source_identity": names, "driving_identity": names})  # fmt: skip
    shape = np.stack([clip.scene.person.identity for clip in clips])[owner]
    people = People(shape, np.zeros((len(owner), len(ACTION_UNITS))))
    everyone = np.ones(len(owner), dtype=bool)
    truths = [draw(clip, clip.scene, clip.numbers) for clip in clips]
    sources = [np.repeat(draw(clip, clip.scene, (clip.source,)), frames, axis=0) for clip in clips]
    truth, source = (Reading(judges.default, np.concatenate(many), everyone, people) for many in (truths, sources))
    rows = []
    for way in ways:
        for step in steps or range(STEPS + 1):
            made = np.concatenate([spoilt(*both, way, step) for both in zip(clips, truths, strict=True)])
            generated = Reading(judges.default, made, everyone, people)
            views = Scored(pairs=pairs, generated=generated, source=source, driving=truth, truth=truth, judges=judges)
            line = pd.DataFrame({"way": way, "step": step, "clip": owner, "found": generated.found})
            for metric in metrics:
                if metric.per_pair:
                    line[metric.id] = metric.per_pair(views)
                elif metric.features and metric.of_sets:
                    fake, real = metric.features(views)
                    judged = np.isfinite(fake).all(axis=1) & np.isfinite(real).all(axis=1)
                    line[metric.id] = metric.of_sets(fake[judged], real[judged])
            rows.append(line.groupby(["way", "step", "clip"]).mean())
    return pd.concat(rows).reset_index()


def reactions(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Per metric and way: `rho`, `effect`, the mean change for the worse; and the share of faces found at the end."""
    from reenact.evaluation.metrics.catalogue import METRICS

    found = []
    for name in [column for column in scores.columns if column in METRICS]:
        worse = 1.0 if METRICS[name].direction == "lower" else -1.0
        tables = {way: worse * group.pivot(index="clip", columns="step", values=name)
                  for way, group in scores.groupby("way", sort=False)}  # fmt: skip
        changes = {way: (table.iloc[:, -1] - table.iloc[:, 0]).dropna() for way, table in tables.items()}
        spread = float(np.sqrt(np.mean([change.var() for change in changes.values()])))
        last = scores[scores["step"] == scores["step"].max()]
        for way, table in tables.items():
            of_set = METRICS[name].per_pair is None
            courses = table.iloc[:1] if of_set else table
            rho = [_rho(course.to_numpy(dtype=float)) for _, course in courses.iterrows()]
            found.append({
                "metric": name, "way": way, "rho": _mean(rho), "change": _mean(changes[way]),
                "effect": None if of_set or not spread > 0 else _mean(changes[way] / spread),
                "found": float(last[last["way"] == way]["found"].mean()),
            })  # fmt: skip
    return found


def _rho(course: NDArray[np.float64]) -> float:
    known = np.isfinite(course)
    if known.sum() < 3:
        return float("nan")
    if np.ptp(course[known]) == 0:
        return 0.0
    return float(stats.spearmanr(np.flatnonzero(known), course[known]).statistic)


def _mean(values: Any) -> float | None:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def at_equal_error(scores: pd.DataFrame, mse: float) -> pd.DataFrame:
    """Metric x way: how much worse the mean is where a way has cost this mean squared error, between its steps.

    So that a strong blur is not compared with a weak smile. NaN for a way that never costs as much.
    """
    from reenact.evaluation.metrics.catalogue import METRICS

    means = scores.groupby(["way", "step"], sort=False).mean(numeric_only=True)
    names = [name for name in means.columns if name in METRICS and name != "mse"]
    changes = {}
    for way in dict.fromkeys(scores["way"]):
        course = means.loc[way]
        signs = {name: 1.0 if METRICS[name].direction == "lower" else -1.0 for name in names}
        changes[way] = {
            name: signs[name] * (np.interp(mse, course["mse"], course[name], right=np.nan) - course[name].iloc[0])
            for name in names
        }
    return pd.DataFrame(changes)


def as_markdown(found: list[dict[str, Any]]) -> str:
    """A line per metric, a column per way: correlation and effect."""
    from reenact.evaluation.metrics.catalogue import METRICS

    ways = list(dict.fromkeys(one["way"] for one in found))
    lines = ["| | " + " | ".join(ways) + " |", "| --- |" + " --- |" * len(ways)]
    for name in dict.fromkeys(one["metric"] for one in found):
        cells = [_cell(one) for one in found if one["metric"] == name]
        lines.append(f"| {METRICS[name].title} | " + " | ".join(cells) + " |")
    faces = {one["way"]: one["found"] for one in found}
    return "\n".join([*lines, "| faces found | " + " | ".join(f"{faces[way]:.0%}" for way in ways) + " |"])


def _cell(one: Mapping[str, Any]) -> str:
    if one["rho"] is None:
        return "-"
    return f"{one['rho']:+.2f}" + ("" if one["effect"] is None else f", {one['effect']:.1f}")


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--frames", type=int, default=3, help="of each, on end; jitter needs three")
    parser.add_argument("--judge", default="tools")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    scores = score(make_clips(chosen.people, chosen.frames), WAYS, chosen.judge)
    found = reactions(scores)
    for way in WAYS:
        print(f"{way}: {(DRAWN.get(way) or SPOILT[way])[1]}")
    print("\n" + as_markdown(found))
    print(f"\nhow much worse at a mean squared error of {EQUAL}:\n{at_equal_error(scores, EQUAL).to_string()}")
    if chosen.out:
        means = scores.groupby(["way", "step"], sort=False).mean(numeric_only=True).drop(columns="clip").reset_index()
        courses = json.loads(means.to_json(orient="records"))
        chosen.out.write_text(json.dumps({"reactions": found, "courses": courses}, indent=1) + "\n")


if __name__ == "__main__":
    main()
