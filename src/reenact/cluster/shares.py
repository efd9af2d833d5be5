"""Whether the processes that would train can share the batches of the settings: asked before anything is sent."""

from collections.abc import Iterator

from reenact.cluster.settings import ClusterSettings, cluster_settings
from reenact.errors import SettingsError
from reenact.params import Params


def processes(cluster: ClusterSettings) -> int:
    """How many processes train a branch: one for each GPU of each node, or one for each node."""
    return cluster.nodes * max(1, cluster.gpus)


def check_shares(params: Params) -> None:
    """Raises SettingsError where the processes don't divide a batch; else the training says so, hours later."""
    count = processes(cluster_settings(params))
    for name, batch in _batches(params):
        if batch % count:
            raise SettingsError(
                f"{name}: {batch} can't be shared by {count} processes (cluster.gpus, cluster.nodes). Make it a "
                f"multiple of {count}."
            )


def _batches(params: Params) -> Iterator[tuple[str, int]]:
    """Sizes of batches by setting: `train.batch`, and what systems have for phases of their own."""
    yield "train.batch", params.blocks["train"].plain()["batch"]
    for system in params.fanout.systems:
        for key, value in params.systems[system].plain().items():
            if key.endswith("_batch"):
                yield f"systems.{system}.{key}", value
