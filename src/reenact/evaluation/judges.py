"""The judges that settings can name, and which metric is read by which. They are made when used: models take a second.

A new judge is a file with a class like `judge.Judge` and a line in `JUDGES`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reenact.backbones.settings import NetworkSettings
from reenact.config import nearest
from reenact.corpus.shards import Image
from reenact.errors import SettingsError
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import Judge, Prepared
from reenact.evaluation.judge_settings import OpenFaceSettings
from reenact.evaluation.metrics.catalogue import metric
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.networks import Networks, load_networks


@dataclass(frozen=True, kw_only=True)
class Making:
    """What a judge is made with."""

    size: int = 256  # px, pictures are enlarged to this where the judge enlarges them
    cache: FeatureCache = field(default_factory=FeatureCache)
    openface: OpenFaceSettings = field(default_factory=OpenFaceSettings)
    networks: NetworkSettings = field(default_factory=NetworkSettings)  # of the user's own
    device: str = "cpu"  # that these run on
    batch: int = 32


def _tools(making: Making) -> Judge:
    from reenact.evaluation.tools import DlibTools, ToolsJudge

    return ToolsJudge(DlibTools(), size=making.size, cache=making.cache)


def _synthetic(making: Making) -> Judge:
    from reenact.evaluation.synthetic_judge import SyntheticJudge

    return SyntheticJudge(size=making.size, cache=making.cache)


def _openface(making: Making) -> Judge:
    from reenact.evaluation.openface_judge import OpenFaceJudge

    return OpenFaceJudge(making.openface, size=making.size)


def _reader(making: Making) -> Judge:
    from reenact.evaluation.reader_judge import ReaderJudge

    return ReaderJudge(cache=making.cache)


JUDGES: Mapping[str, Callable[[Making], Judge]] = {
    "tools": _tools, "reader": _reader, "synthetic": _synthetic, "openface": _openface,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Who reads for which metric."""

    default: Judge
    others: Mapping[str, Judge] = field(default_factory=dict)  # by metric, where not the default
    cache: FeatureCache = field(default_factory=FeatureCache)  # what they remember by
    networks: Networks = field(default_factory=Networks)  # of the user's own

    def of(self, metric: str) -> Judge:
        """The judge of a metric."""
        return self.others.get(metric, self.default)

    def all(self) -> list[Judge]:
        """Each judge once, the default first."""
        return list({id(judge): judge for judge in (self.default, *self.others.values())}.values())

    def prepare(self, pictures: Iterable[Image]) -> None:
        """Show all pictures that are going to be read to the judges that want to know."""
        wanting = [judge for judge in self.all() if isinstance(judge, Prepared)]
        listed = list(pictures) if wanting else []
        for judge in wanting:
            judge.prepare(listed)

    def can_read(self, metric: Metric) -> bool:
        """Whether there is all that a metric needs: some need a network that only the user can give."""
        return not metric.network or self.networks.card(metric.network) is not None

    def card(self, metric: str) -> dict[str, Any]:
        """The card of a metric's judge."""
        return self.of(metric).card


def make_judges(default: str, by_metric: Mapping[str, str], making: Making) -> Judges:
    """The judges that settings name, each made once.

    Raises SettingsError that names the nearest known judge or metric, or says that a metric is read by no judge.
    """
    _known(default, "evaluate.judge")
    for name, judge in by_metric.items():
        if metric(name, where="evaluate.judges").backbone not in ("landmarks", "fit", "recognition", "arcface"):
            raise SettingsError(f"evaluate.judges.{name}: no judge reads for {name}, it looks at the pictures itself.")
        _known(judge, f"evaluate.judges.{name}")
    made = {name: JUDGES[name](making) for name in sorted({default, *by_metric.values()})}
    others = {name: made[judge] for name, judge in by_metric.items() if judge != default}
    networks = load_networks(making.networks, cache=making.cache, device=making.device, batch=making.batch)
    return Judges(default=made[default], others=others, cache=making.cache, networks=networks)


def _known(name: str, where: str) -> None:
    if name not in JUDGES:
        raise SettingsError(f'{where}: there is no judge "{name}"{nearest(name, JUDGES)}')
