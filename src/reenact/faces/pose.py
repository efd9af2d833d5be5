"""Head pose with OpenFace's signs: pitch, yaw, roll in degrees about x (right), y (down), z (away from the camera).

A head at pose (p, y, r) has its points at R @ canonical with R = Rx(p) @ Ry(y) @ Rz(r), right-handed in these axes
(checked on OpenFace's own 3D output: with this R the de-rotated shapes of a clip agree, with the inverse they don't).
"""

import numpy as np
from numpy.typing import NDArray

ANGLES = ("pitch", "yaw", "roll")  # in the order of every pose


def rotation(pose: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) pitch, yaw, roll in degrees -> (..., 3, 3) rotation matrices."""
    p, y, r = np.moveaxis(np.radians(np.asarray(pose, dtype=np.float64)), -1, 0)
    c1, s1, c2, s2, c3, s3 = np.cos(p), np.sin(p), np.cos(y), np.sin(y), np.cos(r), np.sin(r)
    rows = [
        [c2 * c3, -c2 * s3, s2],
        [c1 * s3 + c3 * s1 * s2, c1 * c3 - s1 * s2 * s3, -c2 * s1],
        [s1 * s3 - c1 * c3 * s2, c3 * s1 + c1 * s2 * s3, c1 * c2],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def pose_of(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3, 3) rotation matrices -> (..., 3) pitch, yaw, roll in degrees; inverse of `rotation` for |yaw| < 90."""
    yaw = np.arcsin(np.clip(matrix[..., 0, 2], -1.0, 1.0))
    pitch = np.arctan2(-matrix[..., 1, 2], matrix[..., 2, 2])
    roll = np.arctan2(-matrix[..., 0, 1], matrix[..., 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], axis=-1))


def flip_pose(pose: NDArray[np.floating]) -> NDArray[np.floating]:
    """Pose of the mirrored picture: pitch keeps, yaw and roll change sign."""
    return pose * np.array([1.0, -1.0, -1.0], dtype=pose.dtype)
