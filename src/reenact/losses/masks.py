"""What keeps a mask that mixes two pictures smooth and small; (B, 1, H, W) in [0, 1] each.

Seeds 001 and 004 have both terms, after GANimation (Pumarola et al. 2018).
"""

from torch import Tensor


def total_variation(mask: Tensor) -> Tensor:
    """L_TV = sum_ij (M_i+1,j - M_ij)^2 + (M_i,j+1 - M_ij)^2 of each mask, then the mean over the batch.

    Squares as in seed 004 (GANimation's code has absolute values), and a sum: the weight 1e-5 belongs to it.
    """
    mask = mask.float()
    down, across = mask.diff(dim=-2).square(), mask.diff(dim=-1).square()
    return (down.sum() + across.sum()) / len(mask)


def mask_penalty(mask: Tensor) -> Tensor:
    """L_M = mean M^2: pulls towards 0, where the other picture shows.

    A mean: the norm ||M||_2, summed over the pixels of one picture, would grow with its side and end at M = 0.
    """
    return mask.float().square().mean()
