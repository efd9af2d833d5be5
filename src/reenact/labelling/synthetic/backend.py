"""The label backend `synthetic`: faces of any turn, followed by the network's own points from where dlib found one."""

import numpy as np

from reenact.labelling.backend import Box, Detection, Gray, Points
from reenact.labelling.geometry import detector_like_box
from reenact.labelling.synthetic.models import SyntheticModel
from reenact.labelling.synthetic.reading import FaceReader, face_reader

SURE = 0.5  # confidence from which a face counts as one


class SyntheticLandmarks:
    """The network's points as a `LandmarkPredictor`: one look at the box it is given."""

    def __init__(self, model: SyntheticModel | None = None) -> None:
        self.reader = face_reader(model)
        self.name = f"synthetic-{self.reader.name}"

    def __call__(self, gray: Gray, box: Box) -> Points:
        """(68, 2) in pixels of `gray`."""
        return self.reader.read_gray([gray], [box], mirror=False).landmarks3d[0, :, :2]


class SyntheticConfirmer:
    """Says whether the face in a box is one, by the network's own confidence: it works where no detector does."""

    name = "synthetic"

    def __init__(self, model: SyntheticModel | None = None) -> None:
        self.reader: FaceReader = face_reader(model)

    def near(self, gray: Gray, box: Box) -> Detection | None:
        """The face about this box, if there is one; the score is the confidence 0..1."""
        for _ in range(2):
            seen = self.reader.read_gray([gray], [box])
            box = detector_like_box(seen.landmarks3d[0, :, :2])
        sure = float(seen.confidence[0])
        return Detection(box, sure) if sure >= SURE and np.isfinite(box.side) else None
