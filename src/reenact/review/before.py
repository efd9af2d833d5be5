"""What a version scored when the gate looked at it: the verdict and the figures that were attached to it."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.errors import BadInput, NewerFormat
from reenact.evaluation.records import read_metrics
from reenact.hashing import hash_file
from reenact.review.attach import PAGE_TAG
from reenact.review.marks import SHA256
from reenact.review.subject import fetch_left
from reenact.review.verdict import Rule, Verdict, read_verdict
from reenact.review.versions import Known

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure as it was; NaN-free: None where it, or its 95 % interval, is not known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Before:
    """The attached evaluation of a version; `verdict` is None where there is none, and `lost` says why."""

    verdict: Verdict | None = None
    record: Mapping[str, Any] = field(default_factory=dict)  # metrics.json, {} where only the verdict is there
    lost: str = ""

    @property
    def pairs_sha256(self) -> str:
        """Of the list of test pairs."""
        return self.verdict.pairs_sha256 if self.verdict else ""

    @property
    def judge(self) -> str:
        """Who read pose, expression and identity."""
        return self.verdict.judge if self.verdict else ""

    def figure(self, metric: str, protocol: str) -> Figure | None:
        """Of a metric on the test pairs of a protocol: of unseen people where there are any."""
        wanted = {"row": self.record.get("branch"), "split": "test", "protocol": protocol, "metric": metric}
        lines = {
            line["identities"]: line
            for line in self.record.get("results", ())
            if all(line[name] == value for name, value in wanted.items())
        }
        line = lines.get("unseen") or lines.get("seen")
        if line and line["value"] is not None:
            return Figure(value=line["value"], low=line.get("low"), high=line.get("high"))
        rule = self.rule("metric", metric, protocol)
        return Figure(value=rule.challenger) if rule and rule.challenger is not None else None

    def rule(self, kind: str, metric: str, protocol: str) -> Rule | None:
        """The rule of the verdict about a metric or an alarm on a protocol; for faces `metric` is ""."""
        for rule in self.verdict.rules if self.verdict else ():
            if (rule.kind, rule.metric, rule.protocol) == (kind, metric, protocol):
                return rule
        return None


def read_before(client: "MlflowClient", version: Known) -> Before:
    """Fetch what the gate attached to a version. Raises MLflow's errors where it is away."""
    place = version.tags.get(PAGE_TAG, "")
    if not place:
        return Before(lost=f"the gate attached nothing to version {version.version}")
    folder = place.rpartition("/")[0]
    with tempfile.TemporaryDirectory() as scratch:
        path = fetch_left(client, version.run_id, f"{folder}/verdict.json", Path(scratch))
        if path is None:
            return Before(lost=f"the verdict on version {version.version} is gone from its run")
        if hash_file(path) != version.tags.get(SHA256, ""):
            return Before(lost=f"the verdict on version {version.version} is not the one that the gate wrote")
        try:
            verdict, _ = read_verdict(path)
            figures = fetch_left(client, version.run_id, f"{folder}/metrics.json", Path(scratch))
            return Before(verdict=verdict, record=read_metrics(figures.parent) if figures else {})
        except (BadInput, NewerFormat, json.JSONDecodeError) as error:
            return Before(lost=f"what the gate attached to version {version.version} can't be read ({error})")
