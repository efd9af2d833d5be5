"""Several trainings of one variant as one row: intervals over persons and trainings, since either may be chance.

Both are drawn anew (the pigeonhole bootstrap with the training as one more group). Two trainings say little about
trainings, and the intervals, widened for their number, are as wide as that.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.metrics.catalogue import metrics_of
from reenact.evaluation.statistics import bootstrap_mean
from reenact.evaluation.summary import KINDS, counts_of, identities_of, judged_values

STATUS = "trainings"


def groups_of(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Rows of at least two trainings of one run that ended, by name: SYSTEM-VARIANT (k trainings).

    Those of other runs may have had other settings: they are rows of their own.
    """
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.status == "trained" and entry.branch:
            found.setdefault((entry.run, entry.branch.system, entry.branch.variant), []).append(entry)
    several = len({entry.run for entry in entries}) > 1
    return {
        f"{run + '/' if several else ''}{system}-{variant} ({len(group)} trainings)": group
        for (run, system, variant), group in found.items()
        if len(group) > 1
    }


def over_trainings(entries: Sequence[Entry], *, split: str, repeats: int, seed: int) -> list[dict[str, Any]]:
    """A record per kind of identities, protocol and per-pair metric, like those of `summary.summarise`."""
    records = []
    tables = [entry.faces[entry.faces["split"] == split] for entry in entries]
    for kinds, _ in tables[0].groupby(list(KINDS), sort=False):
        facts = dict(zip(KINDS, map(str, kinds), strict=True))
        groups = [table[(table[list(KINDS)] == list(kinds)).all(axis=1)] for table in tables]
        own = [group[group["row"] == e.name] for group, e in zip(groups, entries, strict=True)]
        for metric in metrics_of(facts["protocol"], per_pair=True):
            values, people, training = [], [], []
            for entry, group in zip(entries, groups, strict=True):
                judged = judged_values(group, metric.id, entry.name)
                values.append(judged.to_numpy(dtype=float))
                people.append(identities_of(group, judged.index))
                training += [entry.name] * len(judged)
            # A pair within a person has one list of names, a cross pair two; where nothing was judged there may be one.
            whose = max(len(names) for names in people)
            joined = [[name for names in people for name in names[min(k, len(names) - 1)]] for k in range(whose)]
            mean = bootstrap_mean(np.concatenate(values), [*joined, training], repeats=repeats, seed=seed)
            counts = counts_of(pd.concat(own), metric.id)
            records.append({**facts, "metric": metric.id, **mean.plain(), **counts})
    return records
