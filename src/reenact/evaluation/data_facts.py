"""What a comparison's report says about the data: how good labels are by their own measure, checks, split."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import read_table


def data_facts(corpus: Corpus, validated: Path) -> dict[str, Any]:
    """`label_quality` (records of label, value, meaning), `checks` and `split` (records), as plain JSON types."""
    facts: dict[str, Any] = {"label_quality": label_quality(corpus)}
    for kind in ("checks", "split"):
        path = validated / f"{kind}.parquet"
        if path.exists():  # a split made by hand comes without checks, and the report says so
            facts[kind] = json.loads(read_table(path, kind=kind).to_json(orient="records"))
    return facts


def label_quality(corpus: Corpus) -> list[dict[str, str]]:
    """Measures that need no truth: how often landmarks were found, and how well the shape model fits them."""
    found = np.concatenate([np.asarray(corpus.found(clip)) for clip in corpus.clips])
    records = [
        _record("landmarks", f"{found.mean():.1%}", f"of {len(found):,} frames have landmarks that can be trusted")
    ]
    errors = _fit_errors(corpus)
    if len(errors):
        middle, high = np.quantile(errors, [0.5, 0.95])
        records.append(_record("fit", f"{middle:.3f}", "median distance of landmarks and fit, outer eye distances"))
        records.append(_record("fit", f"{high:.3f}", "the same, exceeded by 5 % of frames"))
    return records


def _fit_errors(corpus: Corpus) -> NDArray[np.float64]:
    """Of the frames whose landmarks were found; empty where nothing was fitted."""
    folder = corpus.folders["actions"]
    parts = [np.empty(0)]
    for shard in sorted({clip.shard for clip in corpus.clips}) if folder else ():
        table = read_table(Path(str(folder)) / f"{shard}.parquet", kind="actions")
        if "fit_error" not in table:
            continue
        errors = table["fit_error"].to_numpy(dtype=np.float64)
        for clip in (clip for clip in corpus.clips if clip.shard == shard):
            parts.append(errors[clip.start : clip.start + clip.count][np.asarray(corpus.found(clip))])
    whole = np.concatenate(parts)
    return whole[np.isfinite(whole)]


def _record(label: str, value: str, meaning: str) -> dict[str, str]:
    return {"label": label, "value": value, "meaning": meaning}
