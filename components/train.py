"""Train one branch."""

from kfp import dsl

from components.image import TRAIN


@dsl.component(base_image=TRAIN, install_kfp_package=False)
def train(
    told: str,
    results: str,
    system: str,
    variant: str,
    seed: int,
    gpus: int,
    nodes: int,
    accelerator: str,
    deadline_hours: float,
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Input[dsl.Model],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Train one system in one variant with one seed; continues its own checkpoint after a restart.

    gpus above 1: a process for each; nodes above 1: a TrainJob, which this step starts and watches.
    """
    from reenact.component import run_component

    run_component(
        "train",
        told=told,
        out=model.path,
        metrics=metrics,
        folders={
            "frames": frames.path,
            "landmarks": landmarks.path,
            "actions": actions.path,
            "segments": segments.path,
            "validated": validated.path,
            "guide": guide.path,
        },
        branch={"system": system, "variant": variant, "seed": seed},
        results=results,
        machines={"gpus": gpus, "nodes": nodes, "accelerator": accelerator, "deadline_hours": deadline_hours},
    )
