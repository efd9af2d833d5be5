"""FID as published: the Frechet distance of Inception features; empty until the user gives the network."""

from collections.abc import Iterable, Mapping
from typing import Any

from reenact.evaluation.metrics.frechet import frechet
from reenact.evaluation.metrics.metric import Metric

ENOUGH = 2049  # pictures from which the covariance of 2048 features can have full rank

FID = Metric(
    id="fid",
    title="FID",
    definition=(
        "Frechet distance of the 2048-d pool features of the 2015-12-05 Inception network for the generated and for "
        "the driving pictures: 8 bits, bilinear to 299 px without antialiasing, values in -1..1, as in pytorch-fid"
    ),
    citation="Heusel et al. 2017; weights and resizing of pytorch-fid. Depends on N: compare at equal N only",
    direction="lower",
    unit="1",
    pair="set of generated - set of driving pictures",
    protocols=("self", "cross"),
    backbone="inception",
    range=(0.0, float("inf")),
    features=lambda views: (views.networks.inception(views.generated), views.networks.inception(views.driving)),
    of_sets=frechet,
)


def small_sets(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """What must be said where an FID is of fewer pictures than the network has features."""
    sizes = [int(result["n"]) for result in results if result["metric"] == FID.id and result["n"]]
    if not sizes or min(sizes) >= ENOUGH:
        return []
    return [
        f"FID over {min(sizes)} to {max(sizes)} pictures: below {ENOUGH} the covariance is singular and FID far too "
        "large; it may be compared at equal N only, and with no published figure"
    ]
