"""Which shards the clips fall into: what the loop over shards runs over."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def list_shards(told: str, videos: dsl.Input[dsl.Dataset]) -> list:
    """Names of the groups of clips that make a shard each."""
    from reenact.component import list_shards

    return list_shards(told=told, videos=videos.path)
