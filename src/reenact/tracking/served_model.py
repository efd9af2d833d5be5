"""What a registered model does when it is loaded: one interface for every system.

Imported by the few lines that travel with a model (see registry.py), never by the stages. It needs torch and the code
of the systems only, which travels with the model too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from reenact.errors import BadInput

_FAR = 2.0  # of the crop's side: no face of a crop has landmarks as far outside of it; pixels do
_EDITED = {"edit_actions": "driving_actions", "edit_pose": "driving_pose"}


class ServedModel(PythonModel):
    """Draws source persons with driving faces: see `signature` in registry.py for inputs and parameters."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the system and fill in its weights; raises BadInput where they are not those that were registered."""
        from reenact.systems.store import load_system

        self.system, self.facts = load_system(Path(context.artifacts["model"]), device="cpu")
        # load_system holds the weights to the card beside them, which whoever changes one can change, too
        registered = (context.model_config or {}).get("weights_sha256", self.facts["sha256"])
        if self.facts["sha256"] != registered:
            raise BadInput(
                f"the weights of this model (sha256 {self.facts['sha256'][:12]}) are not those that were registered "
                f"({registered[:12]}). Don't use it: somebody changed it since."
            )

    def predict(
        self, context: PythonModelContext, model_input: Any, params: dict[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """(B, 3, H, W) float32 in [-1, 1], drawn; a file made of them has to be marked as synthetic.

        `model_input` maps the signature's names to arrays; the signature, not a type hint, is what MLflow checks.
        Raises BadInput (systems.given) for what can't be drawn.
        """
        import torch

        from reenact.faces.batch import Faces
        from reenact.systems import given

        values = {
            name: given.tensor_of(array) if name == "sources" else torch.from_numpy(np.array(array, np.float32))
            for name, array in model_input.items()
        }
        edits = params or {}
        if len(values["sources"]) == 0:
            raise BadInput("sources: an empty batch (B = 0), there is nothing to draw.")
        given.check_sources(Faces(image=values["sources"], landmarks=values["source_landmarks"]), size=self.system.size)
        check_shapes({name: tuple(value.shape) for name, value in values.items()}, edits)
        check_landmarks(values)
        actions = values["driving_actions"] + torch.tensor(edits.get("edit_actions", [0.0]), dtype=torch.float32)
        pose = values["driving_pose"] + torch.tensor(edits.get("edit_pose", [0.0]), dtype=torch.float32)
        sources = Faces(
            image=values["sources"],
            landmarks=values["source_landmarks"],
            actions=values["source_actions"],
            pose=values["source_pose"],
            segments=source_segments(values) if "segments" in self.system.labels else None,
        )
        driving = Faces(
            # a driving face's picture is never read: NaN would show it
            image=torch.full((len(pose), 3, self.system.size, self.system.size), float("nan")),
            landmarks=values["driving_landmarks"],
            actions=actions.clamp(0.0, 5.0),
            pose=pose,
        )
        with torch.inference_mode():
            return np.asarray(given.reenact(self.system, sources, driving).numpy(), dtype=np.float32)


def source_segments(values: Mapping[str, Any]) -> Any:
    """(B, K, 128, 128) uint8 of the sources: made by landmarks and colours, since nobody has them at hand.

    Colours are learned from the K pictures of each sample alone (backend `hull` of label_segments).
    """
    import torch

    from reenact.labelling.segments.hull import hull_segments

    pictures = values["sources"].add(1).mul(127.5).round().to(torch.uint8).permute(0, 1, 3, 4, 2).contiguous().numpy()
    landmarks = values["source_landmarks"].numpy()
    found = np.ones(landmarks.shape[1], dtype=np.bool_)
    made = [hull_segments(list(images), points, found) for images, points in zip(pictures, landmarks, strict=True)]
    return torch.from_numpy(np.stack(made))


def check_shapes(shapes: Mapping[str, tuple[int, ...]], edits: Mapping[str, Any]) -> None:
    """Labels for each sample and picture, and edits of as many numbers as a label has. Raises BadInput.

    Action units and pose are looked at where the system doesn't read them, too: who sends other ones means other
    pictures. Landmarks are left to systems.given.
    """
    samples, sources = shapes["sources"][:2]
    for name, shape in shapes.items():
        before = (samples, sources) if name.startswith("source") else (samples,)
        if name.endswith(("actions", "pose")) and shape[: len(before)] != before:
            raise BadInput(
                f"{name}: expected {before} sets of labels for sources of shape {shapes['sources']}, got "
                f"{shape[: len(before)]}."
            )
    for name, label in _EDITED.items():
        count, wanted = np.size(edits.get(name, 0.0)), shapes[label][-1]
        if count not in (1, wanted):
            raise BadInput(f"{name}: expected {wanted} numbers, one for each of {label}, got {count}.")


def check_landmarks(values: Mapping[str, Any]) -> None:
    """In crop coordinates, 0..1 and a little beyond. Raises BadInput."""
    for name in ("source_landmarks", "driving_landmarks"):
        known = values[name][values[name].isfinite()]
        if known.numel() and max(float(known.max()) - 1, -float(known.min())) > _FAR:
            raise BadInput(
                f"{name}: expected crop coordinates, 0 to 1 from edge to edge, got {float(known.min()):.3g} to "
                f"{float(known.max()):.3g}. Divide pixels by the crop's side."
            )
