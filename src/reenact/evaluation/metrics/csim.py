"""Identity: cosine of recognition descriptors, to the source or to the true picture: two metrics, two columns."""

from reenact.evaluation.metrics.metric import Metric, cosine

CSIM_SOURCE = Metric(
    id="csim_source",
    title="CSIM to source",
    definition="cosine of the recognition descriptors of generated and source, both on an aligned crop",
    citation="FACEGAN and DG compare with the source. A copy of the source scores 1: read it beside pose angle and ED",
    direction="higher",
    unit="1",
    pair="generated - source",
    protocols=("self", "cross"),
    backbone="recognition",
    range=(-1.0, 1.0),
    per_pair=lambda views: cosine(views.generated.descriptor, views.source.descriptor),
)

CSIM_TRUTH = Metric(
    id="csim_truth",
    title="CSIM to truth",
    definition="cosine of the recognition descriptors of generated and true picture, both on an aligned crop",
    citation="CainGAN compares with the true picture",
    direction="higher",
    unit="1",
    pair="generated - truth",
    protocols=("self", "cross_truth"),
    backbone="recognition",
    range=(-1.0, 1.0),
    per_pair=lambda views: cosine(views.generated.descriptor, views.truth.descriptor),
)
