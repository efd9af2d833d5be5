"""Perceptual distance to the true picture; empty until the user gives AlexNet."""

from reenact.evaluation.metrics.metric import Metric

LPIPS = Metric(
    id="lpips",
    title="LPIPS",
    definition=(
        "LPIPS v0.1 on AlexNet: weighted squared difference of the unit-length maps after each of five ReLUs, mean "
        "over places, summed over layers; RGB in -1..1 at the size that is drawn"
    ),
    citation=(
        "Zhang et al. 2018. As a distance to the truth lower is better; StarGAN v2's column of this name is diversity"
    ),
    direction="lower",
    unit="1",
    pair="generated - truth",
    protocols=("self", "cross_truth"),
    backbone="lpips",
    range=(0.0, float("inf")),
    per_pair=lambda views: views.networks.lpips(views.generated, views.truth),
)
