"""What was drawn is not seen as a face any more: then the other figures are of what little is left."""

import numpy as np
from numpy.typing import NDArray

from reenact.alarms.verdict import Alarm

NO_FACE = Alarm(
    name="no_face",
    sick="high",
    measures="share of drawn pictures without a face for the judge, of those whose driver it sees",
    advice="The pictures are hardly faces: look at them, and trust no figure that is read from faces",
)


def no_face(real: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> float:
    """Whether the judge found a face in N real pictures and in the N drawn after them; NaN where it never did."""
    return 1.0 - float(drawn[real].mean()) if real.any() else float("nan")
