"""Bring the results to the DVC remote and say so in a fragment of dvc.lock."""

from kfp import dsl

from components.image import TOOLS


@dsl.component(base_image=TOOLS, install_kfp_package=False)
def push_outputs(told: str, results: str, fragment: dsl.Output[dsl.Artifact]) -> None:
    """Branches and what follows them, as they lie in the results folder; `reenact data adopt` takes the fragment.

    Takes plain parameters only: it has to run although some branches failed.
    """
    from reenact.component import push_outputs

    push_outputs(told=told, results=results, fragment=fragment)
