"""Losses on landmarks, (B, 68, 2) in crop coordinates 0..1; l_s source, l_t moved, l_d driving (seed 001).

Values are in units of landmarks in [-1, 1], where the crop is 2 wide, so that weights mean what they mean there.
"""

import torch
from torch import Tensor

from reenact.faces.landmarks import GROUPS

# l_i and l_i+1 of one part. Chains end where the part's numbers end: closed parts have no link back to their first.
_STARTS = tuple(point for part in GROUPS.values() for point in part[:-1])


def reconstruction(moved: Tensor, wanted: Tensor, source: Tensor, *, regular: float) -> Tensor:
    """L_rec = mean |l_t - l_d| + lambda_reg ||l_t - l_s||_2^2, a scalar.

    The seed asks for an "L2-weighted penalty" of the shift. Its squares are summed over the 136 coordinates, then
    averaged over the batch: with `regular` 1e-3 and every coordinate shifted by 0.1 (in [-1, 1]) it is 0.0014.
    """
    distance = 2 * (moved - wanted).float().abs().mean()
    shift = 2 * (moved - source).float()
    return distance + regular * shift.square().sum(dim=(-2, -1)).mean()


def action_distance(read: Tensor, wanted: Tensor) -> Tensor:
    """L_AU = mean (La(l_t) - AU_d)^2 of (B, 20) motions: action units in 0..1, angles in quarter turns; a scalar.

    The seed leaves the distance open. Its La is frozen when this trains landmarks; La itself learns by it, too.
    """
    return (read - wanted).float().square().mean()


def connectivity(moved: Tensor, source: Tensor) -> Tensor:
    """L_con = mean |Dist(l_s) - Dist(l_t)|: the moved face keeps the lengths of the source's, a scalar.

    Dist has the distances between consecutive landmarks of each part: 59. The seed's text wants l_t to resemble the
    driver's face by it, its formula compares with the source; this follows the formula, which keeps the identity.
    """
    return (_lengths(source) - _lengths(moved)).abs().mean()


def _lengths(landmarks: Tensor) -> Tensor:
    """(B, 68, 2) -> (B, 59)."""
    starts = torch.tensor(_STARTS, device=landmarks.device)
    links = landmarks.index_select(-2, starts + 1) - landmarks.index_select(-2, starts)
    return 2 * torch.linalg.vector_norm(links.float(), dim=-1)  # its gradient is 0, not NaN, where points coincide
