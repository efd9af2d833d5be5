"""What a registered model does when it is loaded: one interface for every system.

Imported by the few lines that travel with a model (see registry.py), never by the stages. It needs torch and the code
of the systems only, which travels with the model too.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray


class ServedModel(PythonModel):
    """Draws source persons with driving faces: see `signature` in registry.py for inputs and parameters."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the system and fill in its weights."""
        from reenact.systems.store import load_system

        self.system, self.facts = load_system(Path(context.artifacts["model"]), device="cpu")

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
        actions = values["driving_actions"] + torch.tensor(edits.get("edit_actions", [0.0]), dtype=torch.float32)
        pose = values["driving_pose"] + torch.tensor(edits.get("edit_pose", [0.0]), dtype=torch.float32)
        sources = Faces(
            image=values["sources"],
            landmarks=values["source_landmarks"],
            actions=values["source_actions"],
            pose=values["source_pose"],
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
