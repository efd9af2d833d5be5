"""The list of metrics, in the order of the table's columns. A new metric is a new file and a line here."""

from reenact.config import nearest
from reenact.errors import SettingsError
from reenact.evaluation.metrics.csim import CSIM_SOURCE, CSIM_TRUTH
from reenact.evaluation.metrics.csim_arcface import CSIM_ARCFACE_SOURCE, CSIM_ARCFACE_TRUTH
from reenact.evaluation.metrics.ed import ED
from reenact.evaluation.metrics.fid import FID
from reenact.evaluation.metrics.fid_reader import FID_READER
from reenact.evaluation.metrics.lpips import LPIPS
from reenact.evaluation.metrics.lsim import LSIM
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.metrics.mse import MSE
from reenact.evaluation.metrics.nme import NME
from reenact.evaluation.metrics.pose import POSE_ANGLE, PSIM
from reenact.evaluation.metrics.ssim import SSIM
from reenact.evaluation.metrics.temporal import FLICKER, JITTER, TEMPORAL_ERROR

METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        MSE, SSIM, LPIPS, NME, POSE_ANGLE, PSIM, ED, CSIM_SOURCE, CSIM_TRUTH, CSIM_ARCFACE_SOURCE, CSIM_ARCFACE_TRUTH,
        LSIM, TEMPORAL_ERROR, JITTER, FLICKER, FID, FID_READER,
    )
}  # fmt: skip


def metrics_of(protocol: str, *, per_pair: bool) -> list[Metric]:
    """Metrics that make sense for pairs of a protocol: those with a value per pair, or those of whole sets."""
    return [m for m in METRICS.values() if protocol in m.protocols and (m.per_pair is not None) == per_pair]


def metric(name: str, *, where: str) -> Metric:
    """A metric by name; `where` names the setting in the message for an unknown one."""
    if name not in METRICS:
        raise SettingsError(f'{where}: there is no metric "{name}"{nearest(name, METRICS)}')
    return METRICS[name]
