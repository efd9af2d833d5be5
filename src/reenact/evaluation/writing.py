"""Write one branch's evaluation: pairs, a line per picture, figures with their records, pictures for the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.atomic import write_json
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import write_stage
from reenact.corpus.tables import FORMAT, write_table
from reenact.evaluation.judges import Judges
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.fid import small_sets
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.notes import notes_on
from reenact.evaluation.pair_files import write_pairs
from reenact.evaluation.protocols import pairs_hash
from reenact.evaluation.records import ONE_TRAINING
from reenact.evaluation.sample_pairs import write_samples
from reenact.evaluation.scoring import Scored, faces_table, summarise_sets
from reenact.evaluation.summary import summarise


def write_evaluation(
    out: Path,
    scored: Mapping[str, list[Scored]],
    pairs: pd.DataFrame,
    corpus: Corpus,
    facts: Mapping[str, Any],
    judges: Judges,
    *,
    row: str,
    repeats: int,
    seed: int,
    samples: int,
    notes: Sequence[str] = (ONE_TRAINING,),
) -> dict[str, float]:
    """Write faces.parquet, pairs.parquet, metrics.json, samples.parquet and stage.json; returns counts.

    `notes` are what the caller has to say of the row, beside what the pairs and pictures say themselves.
    """
    faces = faces_table(scored)
    results = summarise(faces, repeats=repeats, seed=seed) + summarise_sets(scored)
    record = {
        "format": FORMAT,
        "status": "trained",
        "reason": "",
        **facts,
        "judge": judges.default.card,
        "pairs_sha256": {split: pairs_hash(group) for split, group in pairs.groupby("split")},
        "range": "pixels 0..1, 8 bits",
        "notes": [*notes, *notes_on(row, pairs, scored[row], results), *small_sets(results)],
        "metrics": {name: {**metric.card(), **_read_by(metric, judges)} for name, metric in METRICS.items()},
        "results": results,
    }
    # Whoever is stopped from here on leaves no evaluation, rather than parts of two.
    (out / "stage.json").unlink(missing_ok=True)
    write_table(out / "faces.parquet", faces, kind="scores")
    write_pairs(out / "pairs.parquet", pairs, seed=int(facts["pair_seed"]))
    write_json(out / "metrics.json", record)
    ours = faces[faces["row"] == row]
    write_samples(out / "samples.parquet", scored[row], ours, corpus, persons=samples)
    counts = {
        "pairs": float(len(ours)),
        "not_drawn": float((~ours["drawn"]).sum()),
        "no_face": float((ours["drawn"] & ~ours["face_found"]).sum()),
    }
    write_stage(out, kind="evaluation", branch=row, status="trained", counts=counts)
    return counts


def _read_by(metric: Metric, judges: Judges) -> dict[str, Any]:
    """The metric's judge, the user's network, and hashes of the files that they read with.

    No judge looks at mere pixels; nobody reads where the network is not there.
    """
    parts = {"landmarks": ("landmarks",), "fit": ("landmarks", "fit"), "recognition": ("landmarks", "recognition"),
             "arcface": ("landmarks",)}  # fmt: skip
    network = judges.networks.card(metric.network) if metric.network else None
    files = network["sha256"] if network else {}
    named = {"network": network["name"]} if network else {}
    if metric.backbone not in parts or not judges.can_read(metric):
        return {"judge": None, "weights_sha256": files, **named}
    card = judges.of(metric.id).card
    used = ("network", *parts[metric.backbone])
    return {
        "judge": {"name": card["name"], "size": card["size"]},
        "weights_sha256": {**{name: card["sha256"][name] for name in used if name in card["sha256"]}, **files},
        **named,
    }
