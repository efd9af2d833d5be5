"""Face, hair and background of every frame, where anybody needs them."""

from kfp import dsl

from components.image import DATA

# kfp ships the function's source alone, and annotations have to be real types: hence one body per file, imports inside.


@dsl.component(base_image=DATA, install_kfp_package=False)
def label_segments(
    told: str,
    store: str,
    frames: dsl.Input[dsl.Dataset],
    landmarks: dsl.Input[dsl.Dataset],
    segments: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Segments by the chosen backend; an empty stage where nobody needs them."""
    from reenact.component import run_component

    run_component(
        "label_segments",
        told=told,
        out=segments.path,
        metrics=metrics,
        store=store,
        folders={"frames": frames.path, "landmarks": landmarks.path},
    )
