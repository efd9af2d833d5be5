"""face-alignment (Bulat & Tzimiropoulos 2017) behind the protocol: `pip install face-alignment` in its environment.

Options: `landmarks`: "2D" (default) or "3D" (points of the head in depth, as if nothing were hidden); `device`: "cpu".
It downloads its weights itself, on the user's side; mind its licence (BSD) and its training data's (300W-LP).
"""

import importlib

import numpy as np
from exchange import boxes, pictures, read_picture, read_request, write_result


def main() -> None:
    """Points of every picture, inside the given face box: no second detector."""
    tool = importlib.import_module("face_alignment")
    folder, request = read_request()
    options = request["options"]
    kind = str(options.get("landmarks", "2D")).upper()
    types = tool.LandmarksType
    # Until 1.3 the names began with an underscore, since a name can't begin with a number.
    names = {"2D": ("TWO_D", "_2D"), "3D": ("THREE_D", "_3D")}[kind]
    chosen = next(getattr(types, name) for name in names if hasattr(types, name))
    network = tool.FaceAlignment(chosen, device=options.get("device", "cpu"), flip_input=False)
    listed = pictures(request)
    landmarks, found = np.zeros((len(listed), 68, 3)), np.zeros(len(listed), dtype=bool)
    for row, (name, box) in enumerate(zip(listed, boxes(request), strict=True)):
        faces = network.get_landmarks_from_image(read_picture(folder / name), detected_faces=[box])
        if faces:
            points = np.asarray(faces[0])
            landmarks[row, :, : points.shape[1]], found[row] = points, True
    more = {"landmarks3d": away_from_camera(landmarks, found)} if kind == "3D" else {}
    about = f"face-alignment {getattr(tool, '__version__', '')} {kind}"
    write_result(folder, about, landmarks=landmarks[..., :2], found=found, **more)


def away_from_camera(points: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Depth growing away from the camera: a nose's tip lies before the ears, whichever sign the tool has."""
    depth = points[found, :, 2]
    behind = np.mean(depth[:, [0, 16]].mean(axis=1) - depth[:, 30]) if len(depth) else 0.0
    return points * (1, 1, -1) if behind < 0 else points


if __name__ == "__main__":
    main()
