"""Bring what the data steps made to the DVC remote."""

from kfp import dsl

from components.image import TOOLS


@dsl.component(base_image=TOOLS, install_kfp_package=False)
def push_data(
    told: str,
    results: str,
    rendered: dsl.Input[dsl.Dataset],
    videos: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    actions: dsl.Input[dsl.Dataset],
    segments: dsl.Input[dsl.Dataset],
    validated: dsl.Input[dsl.Dataset],
    guide: dsl.Input[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Each folder as DVC's objects, while the branches train; nothing where cluster.data_remote is empty."""
    from reenact.component import push_data

    push_data(
        told=told,
        folders={
            "render_clips": rendered.path,
            "fetch_data": videos.path,
            "extract_frames": frames.path,
            "label_landmarks": landmarks.path,
            "label_actions": actions.path,
            "label_segments": segments.path,
            "validate_data": validated.path,
            "train_guide": guide.path,
        },
        results=results,
        metrics=metrics,
    )
