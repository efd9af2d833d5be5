"""How far off the truth a reading of pictures is, and how well its embeddings tell people apart."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.backbones.judge_reader.reading import FaceReading
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import outer_eye_distance

BANDS = (0, 30, 60, 90)  # degrees of yaw


def errors(
    read: FaceReading,
    *,
    landmarks: NDArray[np.floating],
    pose: NDArray[np.floating],
    actions: NDArray[np.floating],
    identity: NDArray[np.integer],
    clip: NDArray[np.integer],
) -> dict[str, Any]:
    """Errors of N pictures, in all and by bands of true yaw.

    `landmarks`: mean distance of the 68, in outer eye distances of the true ones in the picture, which vanish towards
    the profile; `spread`: the same in root mean square distances of the true points from their centroid. `pitch`,
    `yaw`, `roll`: mean absolute errors in degrees. `actions`: mean over the action units of the correlation over
    pictures, `each_action` by unit. `same_other`: see `same_other_auc`. `face`: share of pictures with a face seen.
    """
    off = np.linalg.norm(read.landmarks - landmarks, axis=-1).mean(axis=-1)
    centred = landmarks - landmarks.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1))
    degrees = np.abs(read.pose - pose)
    turn = np.abs(pose[:, 1])
    groups = {"all": np.ones(len(turn), bool)}
    groups |= {f"{low}-{high}": (turn >= low) & (turn < high) for low, high in pairwise(BANDS)}
    result = {}
    for name, of in groups.items():
        if of.sum() < 2:
            continue
        each = correlations(read.actions[of], actions[of])
        result[name] = {
            "pictures": int(of.sum()),
            "people": len(np.unique(identity[of])),
            "landmarks": float((off / outer_eye_distance(landmarks))[of].mean()),
            "spread": float((off / spread)[of].mean()),
            **{axis: float(degrees[of, i].mean()) for i, axis in enumerate(("pitch", "yaw", "roll"))},
            "actions": float(np.mean(list(each.values()))) if each else None,
            "each_action": each,
            "same_other": same_other_auc(read.embedding[of], identity[of], clip[of]),
            "face": float((read.face[of] > 0.5).mean()),
        }
    return result


def correlations(read: NDArray[np.floating], true: NDArray[np.floating]) -> dict[str, float]:
    """Of each action unit over N pictures (N, 17): 0 where it is read as constant, nothing where it never moves."""
    moving = [i for i in range(len(ACTION_UNITS)) if true[:, i].std() > 1e-6]
    return {
        ACTION_UNITS[i]: float(np.corrcoef(read[:, i], true[:, i])[0, 1]) if read[:, i].std() > 1e-6 else 0.0
        for i in moving
    }


def same_other_auc(
    embedding: NDArray[np.floating], identity: NDArray[np.integer], clip: NDArray[np.integer]
) -> float | None:
    """The chance that a pair of pictures of one person has a higher cosine than a pair of two people.

    Pairs of one person: all that lie in different clips, so in other light, room, pose and expression. Pairs of two
    people: all. None where there are no such pairs.
    """
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    above = np.triu(np.ones((len(unit), len(unit)), bool), 1)
    same_person = identity[:, None] == identity[None]
    same = same_person & (clip[:, None] != clip[None]) & above
    other = ~same_person & above
    if not same.any() or not other.any():
        return None
    cosines = (unit @ unit.T).astype(np.float64)
    return area(cosines[same], cosines[other])


def area(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Area under the ROC curve: the chance that a positive value lies above a negative one, ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    ties = np.searchsorted(ordered, positive, side="right") - below
    return float((below + ties / 2).mean() / len(ordered))
