"""Pose, action units and 3D landmarks by fitting the shape model to 68 landmarks in weak perspective, batched in NumPy.

Per frame, with R = R(pose), scale s and translation t (pixels or crop units per mm):

    x_p = s * (R (mean_p + sum_k a_k identity_kp + sum_j e_j / 5 actions_jp))_xy + t

The 6 + 17 unknowns of a frame are found by Gauss-Newton with e_j >= 0 kept by an active set; e has a prior that
favours few and small intensities. The identity a is shared by all frames of a clip: found from a sample of frames in
turns with the frames' own unknowns, with a standard normal prior.

What this can't do: landmarks carry no wrinkles, so AU06, AU07, AU09, AU14, AU23 are weak; a person who never shows a
neutral face in a clip has part of the expression taken for identity.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.landmarks import outer_eye_distance
from reenact.faces.pose import pose_of, rotation
from reenact.faces.shape_model import ShapeModel, shape_model

Array = NDArray[np.float64]

# Residuals are divided by the face's size first: 1 mm of the model's face is the unit.
NOISE_MM = 3.0  # expected error of one landmark coordinate: dlib's and the model's together
JAW_NOISE_MM = 6.0  # the jaw line of 2D landmarks slides along the cheek as the head turns, and is no fixed point
ACTION_DEVIATION = 2.0  # prior deviation of an intensity of 0..5
AXIS_MM = 60.0  # how far the axis of the cylinder that stands for the head lies behind the model's origin
SAMPLE = 60  # frames from which a clip's identity is found
ITERATIONS = 8
FEWEST = 12  # frames that a clip needs to show how a face rests


@dataclass(frozen=True)
class FaceFit:
    """What a fit found for N frames."""

    shape: Array  # (K,) or (N, K) identity in standard deviations
    actions: Array  # (N, 17) 0..5
    pose: Array  # (N, 3) pitch, yaw, roll in degrees
    landmarks3d: Array  # (N, 68, 3) in the landmarks' unit, z away from the camera
    visibility: Array  # (N, 68) 0..1
    error: Array  # (N,) root mean square distance of landmarks and fit, in outer eye distances
    neutral: Array  # (17,) intensities taken for the person's resting face and subtracted
    raw: Array  # (N, 17) intensities before that
    displacement: Array  # (N, 68, 2) landmarks beside the person's resting head in that pose, mm, roll removed


@dataclass(frozen=True)
class _Frames:
    """The unknowns of N frames: rotation matrices, log-free scale, translation, raw intensities."""

    turn: Array  # (N, 3, 3)
    scale: Array  # (N,)
    shift: Array  # (N, 2)
    actions: Array  # (N, 17)


def fit_clip(landmarks: NDArray[np.floating], *, found: NDArray[np.bool_] | None = None) -> FaceFit:
    """Fit a clip of one person: landmarks (N, 68, 2) in any unit; the identity comes from frames that were `found`."""
    model = shape_model()
    points = np.asarray(landmarks, dtype=np.float64)
    usable = np.arange(len(points)) if found is None or not found.any() else np.flatnonzero(found)
    sample = points[usable[np.unique(np.linspace(0, len(usable) - 1, SAMPLE).round().astype(int))]]
    shape = np.zeros(len(model.identity))
    frames = _start(model, sample, shape)
    for _ in range(4):
        frames = _solve_frames(model, sample, shape, frames, iterations=4)
        shape = _solve_shape(model, sample, frames)
    return fit_faces(points, shape, neutral=None, calibrate=usable)


def fit_faces(
    landmarks: NDArray[np.floating],
    shape: NDArray[np.floating],
    *,
    neutral: NDArray[np.floating] | None = None,
    calibrate: NDArray[np.intp] | None = None,
) -> FaceFit:
    """Fit frames of known persons: landmarks (N, 68, 2), shape (K,) or (N, K), `neutral` (17,) or (N, 17) to subtract.

    With `calibrate` the resting level is taken from those frames instead, as for a clip.
    """
    model = shape_model()
    points: Array = np.asarray(landmarks, dtype=np.float64)
    person: Array = np.asarray(shape, dtype=np.float64)
    frames = _solve_frames(model, points, person, _start(model, points, person), iterations=ITERATIONS)
    head = _head(model, person, frames.actions)
    turned = np.einsum("nij,npj->npi", frames.turn, head)
    placed = turned * frames.scale[:, None, None]
    placed[..., :2] += frames.shift[:, None]
    error = np.sqrt(np.square(placed[..., :2] - points).sum(axis=-1).mean(axis=-1)) / np.maximum(
        outer_eye_distance(points), 1e-9
    )
    if calibrate is not None:
        neutral = resting_level(frames.actions[calibrate])
    level = np.zeros(len(ACTION_UNITS)) if neutral is None else np.asarray(neutral, dtype=np.float64)
    return FaceFit(
        shape=person,
        actions=np.clip(frames.actions - level, 0.0, MAXIMUM),
        pose=pose_of(frames.turn),
        landmarks3d=placed,
        visibility=visibility(head, frames.turn),
        error=error,
        neutral=level,
        raw=frames.actions,
        displacement=_displacement(_head(model, person, np.zeros_like(frames.actions)), points, frames),
    )


def _displacement(resting: Array, points: Array, frames: _Frames) -> Array:
    turned = np.einsum("nij,npj->npi", frames.turn[:, :2], resting)
    beside = (points - frames.shift[:, None]) / frames.scale[:, None, None] - turned
    roll = np.radians(pose_of(frames.turn)[:, 2])
    upright = np.stack([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]).transpose(2, 0, 1)
    return np.einsum("nij,npj->npi", upright, beside)


def resting_level(actions: Array) -> Array:
    """The level that counts as neutral in a clip: the lowest fifth of each unit's intensities, but at most 1.5.

    Like OpenFace's video mode, which subtracts a low percentile over the clip. The limit keeps a lasting smile a smile.
    A few frames, or one picture, say nothing of how a face rests: nothing is subtracted there.
    """
    if len(actions) < FEWEST:
        return np.zeros(actions.shape[1])
    return np.minimum(np.percentile(actions, 20, axis=0), 1.5)


def visibility(head: Array, turn: Array) -> Array:
    """How far each point faces the camera: canonical heads (N, 68, 3), rotations (N, 3, 3) -> (N, 68) 0..1.

    The head is taken for an upright cylinder about an axis behind the jaw line's ends: a point is seen where the
    cylinder's surface faces the camera. What the nose or a hand covers isn't known.
    """
    outward = head * np.array([1.0, 0.0, 1.0]) - np.array([0.0, 0.0, AXIS_MM])
    outward = outward / np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-9)
    facing = -np.einsum("nj,npj->np", turn[:, 2], outward)
    return np.clip(facing / 0.3 + 0.7, 0.0, 1.0)


def _head(model: ShapeModel, shape: Array, actions: Array) -> Array:
    """(N, 68, 3) mm; shape (K,) or (N, K)."""
    return (
        model.mean
        + np.einsum("...k,kpc->...pc", shape, model.identity)
        + np.einsum("na,apc->npc", actions / MAXIMUM, model.actions)
    )


def _weights() -> Array:
    """(68,) inverse deviations in 1/mm."""
    weights = np.full(68, 1.0 / NOISE_MM)
    weights[:17] = 1.0 / JAW_NOISE_MM
    return weights


def _start(model: ShapeModel, points: Array, shape: Array) -> _Frames:
    """Frontal heads of the right size, place and roll."""
    head = _head(model, shape, np.zeros((1, len(ACTION_UNITS))))
    head = np.broadcast_to(head, (len(points), 68, 3))
    inner = slice(17, 68)
    flat = head[:, inner, :2] - head[:, inner, :2].mean(axis=1, keepdims=True)
    seen = points[:, inner] - points[:, inner].mean(axis=1, keepdims=True)
    # Complex least squares: the similarity transform of the flat face.
    a, b = flat[..., 0] + 1j * flat[..., 1], seen[..., 0] + 1j * seen[..., 1]
    factor = (a.conj() * b).sum(axis=1) / np.square(np.abs(a)).sum(axis=1)
    scale, roll = np.maximum(np.abs(factor), 1e-9), np.degrees(np.angle(factor))
    turn = rotation(np.stack([np.zeros_like(roll), np.zeros_like(roll), roll], axis=-1))
    placed = np.einsum("nij,npj->npi", turn, head)[..., :2] * scale[:, None, None]
    shift = (points - placed)[:, inner].mean(axis=1)
    return _Frames(turn, scale, shift, np.zeros((len(points), len(ACTION_UNITS))))


def _solve_frames(model: ShapeModel, points: Array, shape: Array, frames: _Frames, *, iterations: int) -> _Frames:
    """Gauss-Newton on pose, scale, shift and intensities of all frames at once."""
    count, units = len(points), len(ACTION_UNITS)
    weights = np.repeat(_weights(), 2)
    prior = np.full(units, 1.0 / ACTION_DEVIATION)
    turn, scale, shift, actions = frames.turn, frames.scale, frames.shift, frames.actions
    for _ in range(iterations):
        head = _head(model, shape, actions)
        turned = np.einsum("nij,npj->npi", turn, head)
        x, y, z = np.moveaxis(turned, -1, 0)
        zero, one = np.zeros_like(x), np.ones_like(x)
        # In mm: all is divided by the scale. Small turns w about the camera's axes: d(turned) = w x turned.
        target = (points - shift[:, None]) / scale[:, None, None]
        residual = (target - turned[..., :2]).reshape(count, -1)
        jacobian = np.empty((count, 136, 6 + units))
        for column, (dx, dy) in enumerate([(zero, -z), (z, zero), (-y, x), (x, y), (one, zero), (zero, one)]):
            jacobian[:, 0::2, column], jacobian[:, 1::2, column] = dx, dy
        moved = np.einsum("nij,apj->npia", turn[:, :2], model.actions / MAXIMUM)
        jacobian[:, :, 6:] = moved.reshape(count, 136, units)
        weighted = jacobian * weights[:, None]
        normal = weighted.transpose(0, 2, 1) @ weighted
        right = (weighted.transpose(0, 2, 1) @ (residual * weights)[..., None])[..., 0]
        diagonal = np.arange(6, 6 + units)
        normal[:, diagonal, diagonal] += prior**2
        right[:, 6:] -= prior**2 * actions
        normal[:, np.arange(6), np.arange(6)] += 1e-6
        step = _bounded_step(normal, right, actions)
        turn = rotation_of_vector(step[:, :3]) @ turn
        shift = shift + step[:, 4:6] * scale[:, None]
        scale = scale * np.exp(np.clip(step[:, 3], -0.3, 0.3))
        actions = np.clip(actions + step[:, 6:], 0.0, MAXIMUM)
    return _Frames(turn, scale, shift, actions)


def _bounded_step(normal: Array, right: Array, actions: Array) -> Array:
    """Solve for a step; intensities that would leave 0..5 are held at the bound and the rest solved again."""
    count, units = actions.shape
    step = _solved(normal, right)
    held, bound = np.zeros((count, units), dtype=bool), np.zeros((count, units))
    for _ in range(3):
        reached = actions + step[:, 6:]
        out = ((reached < 0) | (reached > MAXIMUM)) & ~held
        if not out.any():
            break
        held |= out
        bound[out] = np.where(reached > MAXIMUM, MAXIMUM, 0.0)[out]
        stiff = 1e6 * held
        bent, pushed = normal.copy(), right.copy()
        bent[:, np.arange(6, 6 + units), np.arange(6, 6 + units)] += stiff
        pushed[:, 6:] += stiff * (bound - actions)
        step = _solved(bent, pushed)
    return step


def _solve_shape(model: ShapeModel, points: Array, frames: _Frames) -> Array:
    """Linear least squares for the identity that all frames share; (K,)."""
    weights = np.repeat(_weights(), 2)
    base = model.mean + np.einsum("na,apc->npc", frames.actions / MAXIMUM, model.actions)
    placed = np.einsum("nij,npj->npi", frames.turn[:, :2], base)
    target = (points - frames.shift[:, None]) / frames.scale[:, None, None]
    residual = (target - placed).reshape(len(points), -1) * weights
    basis = (
        np.einsum("nij,kpj->npik", frames.turn[:, :2], model.identity).reshape(len(points), 136, -1) * weights[:, None]
    )
    # Errors of one face's landmarks are much alike in all its frames: a clip weighs as a few independent looks.
    looks = min(len(points), 6) / len(points)
    normal = looks * np.einsum("nrk,nrl->kl", basis, basis) + np.eye(len(model.identity))
    right = looks * np.einsum("nrk,nr->k", basis, residual)
    return _solved(normal[None], right[None])[0]


def _solved(normal: Array, right: Array) -> Array:
    """Solutions (N, U) of N systems (N, U, U)."""
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], dtype=np.float64)


def rotation_of_vector(vectors: Array) -> Array:
    """Rotation matrices (N, 3, 3) of rotation vectors (N, 3) in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=-1)
    axis = vectors / np.maximum(angle, 1e-12)[:, None]
    cross = np.zeros((len(vectors), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = axis[:, 2], -axis[:, 1], axis[:, 0]
    sine, rest = np.sin(angle)[:, None, None], (1.0 - np.cos(angle))[:, None, None]
    return np.eye(3) + sine * cross + rest * (cross @ cross)
