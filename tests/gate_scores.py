"""Evaluations made up for the gate: a value per pair that is what the pair is worth, and a little more or less."""

import numpy as np
import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.systems.branch import Branch

PEOPLE = 12
LEVELS = {"csim_truth": (0.9, 0.03), "nme": (0.06, 0.01), "pose_angle": (6.0, 1.0)}  # mean and spread over pairs
WHERE = {"csim_truth": "self", "nme": "self", "pose_angle": "cross"}
ALARMS = (
    ("identity_collapse", "self"), ("mode_collapse", "self"), ("identity_collapse", "cross"),
    ("mode_collapse", "cross"), ("identity_leak", "cross"), ("mask_saturation", "self"),
)  # fmt: skip
READ = {"judge": {"name": "tools", "size": 256}, "weights_sha256": {"landmarks": "a"}}


def pair_table(split="test"):
    """Three pairs within each person, two with another driver."""
    own = [("self", f"s{i}-{k}", i, i) for i in range(PEOPLE) for k in range(3)]
    cross = [("cross", f"c{i}-{k}", i, (i + 1 + k) % PEOPLE) for i in range(PEOPLE) for k in range(2)]
    return pd.DataFrame(
        [
            {"protocol": protocol, "pair": f"{split}-{pair}", "source_identity": f"p{a}", "driving_identity": f"p{b}",
             "split": split, "identities": "unseen", "person": a}
            for protocol, pair, a, b in own + cross
        ]
    )  # fmt: skip


def made_entry(name, seed=0, *, noise=0.1, **shifts):
    """An entry whose metrics differ from what each pair is worth by `shifts`: a number, or one for each person.

    `noise` is that of each value of this entry alone, in spreads over pairs.
    """
    pairs = pair_table()
    worth, own = np.random.default_rng(99), np.random.default_rng([7, seed])
    faces = pairs.assign(row=name, drawn=True, face_found=True, mse=0.02)
    for metric, (mean, spread) in LEVELS.items():
        values = mean + spread * worth.standard_normal(len(pairs)) + noise * spread * own.standard_normal(len(pairs))
        shift = np.broadcast_to(np.asarray(shifts.get(metric, 0.0), dtype=float), PEOPLE)
        faces[metric] = np.where(faces["protocol"] == WHERE[metric], values + shift[pairs["person"]], np.nan)
    copied = faces.assign(row=COPY_SOURCE, mse=np.linspace(0.01, 0.05, len(faces)))
    record = {
        "pairs_sha256": {"test": "pairs"}, "image_size": 64, "judge": {"name": "tools"}, "notes": [],
        "metrics": dict.fromkeys(LEVELS, READ),
        "alarms": [alarm(name, protocol) for name, protocol in ALARMS],
        "results": [figure(name, metric, float(faces[metric].mean())) for metric in LEVELS],
    }  # fmt: skip
    return Entry(
        name=name, branch=Branch.parse("cgan-full-0"), status="trained", record=record,
        faces=pd.concat([copied, faces], ignore_index=True),
    )  # fmt: skip


def figure(row, metric, value, *, protocol=None, **more):
    """A line of `results`."""
    place = {"split": "test", "protocol": protocol or WHERE[metric], "identities": "unseen"}
    return {"row": row, "metric": metric, "value": value, "n": 36, **place, **more}


def alarm(name, protocol, verdict="fine", *, split="test", value=0.5, limit=0.2):
    """A line of `alarms`."""
    known = verdict != "unknown"
    return {"name": name, "protocol": protocol, "split": split, "verdict": verdict, "value": value if known else None,
            "limit": limit if known else None, "meaning": "share of the way that the face went"}  # fmt: skip
