"""All label steps of one shard."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def prepare_shard(
    told: str,
    store: str,
    group: str,
    videos: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Crop and label one group of clips into the store of shards; what is there already is left as it is."""
    from reenact.component import prepare_shard

    prepare_shard(told=told, videos=videos.path, group=group, store=store, metrics=metrics)
