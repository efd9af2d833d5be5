"""How well the networks for large poses read: drawn people they never saw by bands of yaw, real faces beside dlib.

    python benchmarks/synthetic.py [--persons 256] [--videos DIR] [--every 10] [--sheet FILE.png] [--out FILE.json]
                                   [--labels FILE.safetensors] [--judge FILE.safetensors]

Drawn people: those kept for measuring, in boxes moved as a tracker moves them. Real videos: in every n-th frame where
dlib's detector finds a face, both read it from dlib's box; compared below 30 degrees of yaw, in outer eye distances of
dlib's points, one mean a frame. `--sheet` draws both (dlib red, ours green) to be looked at.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

YAW = 30.0
INNER = np.arange(17, 68)  # all but the jaw line, which dlib places on the outline and the networks on the head


def on_drawn_people(network: Any, size: int, persons: int, cache: Path | None) -> dict[str, Any]:
    """Errors by bands of yaw, see `training.errors`."""
    from reenact.labelling.synthetic.drawing import draw_faces, together
    from reenact.labelling.synthetic.training import errors

    drawn = together(draw_faces(role="test", seed=0, persons=persons, cache=cache))
    return errors(network, drawn, size=size)


def on_real_videos(readers: dict[str, Any], videos: Path, every: int, sheet: Path | None) -> dict[str, Any]:
    """Distance to dlib's points in % of the outer eye distance, clip by clip; None where dlib finds nobody."""
    from reenact.labelling.backends import detector, landmark_predictor
    from reenact.labelling.tracking import detect_faces

    detect, dlib = detector(), landmark_predictor()
    found: dict[str, Any] = {}
    pictures: list[NDArray[np.uint8]] = []
    for file in sorted(videos.glob("*.mp4")):
        rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in readers}
        for number, image in enumerate(frames(file)):
            if number % every:
                continue
            gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
            faces = detect_faces(gray, detect, min_face=60)
            if not faces:
                continue
            box = max(faces, key=lambda one: one.box.side).box
            theirs = dlib(gray, box)
            eyes = float(np.linalg.norm(theirs[36] - theirs[45]))
            for name, reader in readers.items():
                ours = reader.read_gray([gray], [box])
                off = np.linalg.norm(ours.landmarks3d[0, :, :2] - theirs, axis=1) / eyes
                rows[name].append((off.mean(), off[INNER].mean(), ours.pose[0, 1], ours.confidence[0]))
                if number % (8 * every) == 0:
                    pictures.append(face_tile(image, theirs, ours.landmarks3d[0], ours.pose[0]))
        found[file.name] = {name: summary(np.array(values)) for name, values in rows.items()}
    if sheet and pictures:
        cv2.imwrite(str(sheet), tiled(pictures))
    every_clip = {name: [one[name] for one in found.values() if one[name]["frames"]] for name in readers}
    means = {
        name: {key: float(np.mean([one[key] for one in clips])) for key in ("all_points", "without_jaw", "sure")}
        for name, clips in every_clip.items() if clips
    }  # fmt: skip
    return {"mean_over_clips": means, "clips": found}


def summary(rows: NDArray[np.float64]) -> dict[str, Any]:
    """Of frames below YAW: (n, 4) errors, errors without the jaw, yaw, confidence."""
    near = rows[np.abs(rows[:, 2]) < YAW] if len(rows) else rows
    if not len(near):
        return {"frames": 0}
    return {
        "frames": len(near), "all_points": 100 * near[:, 0].mean(), "without_jaw": 100 * near[:, 1].mean(),
        "yaw": np.abs(near[:, 2]).mean(), "sure": (near[:, 3] > 0.5).mean(),
    }  # fmt: skip


def frames(file: Path) -> Any:
    """The BGR frames of a video."""
    capture = cv2.VideoCapture(str(file))
    while True:
        ok, image = capture.read()
        if not ok:
            break
        yield image
    capture.release()


def face_tile(
    image: NDArray[np.uint8], theirs: NDArray[np.float64], ours: NDArray[np.float64], pose: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """A face at 240 px with both sets of points."""
    centre, reach = theirs.mean(axis=0), 2.0 * np.abs(theirs - theirs.mean(axis=0)).max()
    scale = 120 / reach
    matrix = np.array([[scale, 0, 120 - scale * centre[0]], [0, scale, 120 - scale * centre[1]]])
    tile = cv2.warpAffine(image, matrix, (240, 240), borderMode=cv2.BORDER_REPLICATE)
    for points, colour in ((theirs, (0, 0, 255)), (ours, (0, 255, 0))):
        for x, y in points[:, :2] @ matrix[:, :2].T + matrix[:, 2]:
            cv2.circle(tile, (round(x), round(y)), 1, colour, -1, cv2.LINE_AA)
    text = " ".join(f"{angle:.0f}" for angle in pose)
    cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
    return np.asarray(tile, dtype=np.uint8)


def tiled(pictures: list[NDArray[np.uint8]], columns: int = 8) -> NDArray[np.uint8]:
    """Pictures of one size side by side."""
    blank = np.zeros_like(pictures[0])
    pictures = pictures + [blank] * (-len(pictures) % columns)
    return np.vstack([np.hstack(pictures[at : at + columns]) for at in range(0, len(pictures), columns)])


def main() -> None:
    """Measure and print."""
    from reenact.labelling.synthetic.models import model_file
    from reenact.labelling.synthetic.reading import FaceReader

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=256)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    readers = {role: FaceReader(getattr(given, role) or model_file(role=role)) for role in ("labels", "judge")}
    record: dict[str, Any] = {"networks": {role: reader.name for role, reader in readers.items()}, "drawn": {}}
    for role, reader in readers.items():
        record["drawn"][role] = on_drawn_people(reader.network, reader.size, given.persons, given.cache)
        print(f"{role}: {reader.name}")
        for band, one in record["drawn"][role].items():
            print(f"  {band:>6} " + "  ".join(f"{name} {value:.2f}" for name, value in one.items()))
    if given.videos:
        record["real"] = on_real_videos(readers, given.videos, given.every, given.sheet)
        print(json.dumps(record["real"], indent=1))
    view = np.zeros((240, 240), np.uint8)
    from reenact.labelling.backend import Box

    for role, reader in readers.items():
        began = time.process_time()
        for _ in range(50):
            reader.read_gray([view], [Box(60, 60, 180, 180)], mirror=False)
        record[f"{role}_milliseconds"] = 20 * (time.process_time() - began)
        print(f"{role}: {record[f'{role}_milliseconds']:.1f} ms of processor time for one look at one face")
    if given.out:
        given.out.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
