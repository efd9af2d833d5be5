"""Identity as the papers measure it, by ArcFace; empty until the user gives the network."""

from reenact.evaluation.metrics.metric import Metric, cosine

DEFINITION = (
    "cosine of the ArcFace embeddings of generated and {other}, each aligned to 112 px by five points that the "
    "metric's judge finds"
)

CSIM_ARCFACE_SOURCE = Metric(
    id="csim_arcface_source",
    title="CSIM (ArcFace) to source",
    definition=DEFINITION.format(other="source"),
    citation="DG (source). A copy of the source scores 1, and a system trained with the same network is flattered",
    direction="higher",
    unit="1",
    pair="generated - source",
    protocols=("self", "cross"),
    backbone="arcface",
    range=(-1.0, 1.0),
    per_pair=lambda views: cosine(views.networks.arcface(views.generated), views.networks.arcface(views.source)),
)

CSIM_ARCFACE_TRUTH = Metric(
    id="csim_arcface_truth",
    title="CSIM (ArcFace) to truth",
    definition=DEFINITION.format(other="true picture"),
    citation="CainGAN compares with the true picture, by a recogniser that it does not name",
    direction="higher",
    unit="1",
    pair="generated - truth",
    protocols=("self", "cross_truth"),
    backbone="arcface",
    range=(-1.0, 1.0),
    per_pair=lambda views: cosine(views.networks.arcface(views.generated), views.networks.arcface(views.truth)),
)
