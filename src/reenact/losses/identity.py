"""Keeping the person."""

from torch import Tensor


def identity(fake: Tensor, target: Tensor) -> Tensor:
    """L_id = |Phi_l(I_t) - Phi_l(fake)|, mean of absolute values (Shiri et al. 2018, used by seed 000).

    Feature maps (B, C, H, W) of relu3_2 or what stands in its place: the seed names relu2_3, which VGG-19 doesn't
    have, and the authors' code takes relu3_2. The target shows the same person as the source. A mean over the batch;
    the code sums.
    """
    return (fake.float() - target.float()).abs().mean()
