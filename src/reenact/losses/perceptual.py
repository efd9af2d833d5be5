"""Distances between feature maps of a frozen network."""

from collections.abc import Sequence

import torch
from torch import Tensor

RISING = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)  # pix2pixHD's weights of relu1_1 .. relu5_1


def gram(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C): F F^T / (C H W) of each image on its own (Johnson et al. 2016)."""
    B, C, H, W = features.shape
    flat = features.float().reshape(B, C, H * W)
    return flat @ flat.transpose(1, 2) / (C * H * W)


def perceptual(fake: Sequence[Tensor], target: Sequence[Tensor], *, style: int = 2) -> Tensor:
    """L_pp = sum_l |Phi_l(I_t) - Phi_l(fake)| + ||Gram(Phi_style(I_t)) - Gram(Phi_style(fake))||_F (seed 000).

    Feature maps (B, C_l, H_l, W_l) of relu1_2, relu2_2, relu3_3, relu4_3 or what stands in their places; the third
    gives the style. Each l is a mean of absolute values. The Gram matrix is one per image; in the authors' code the
    images of a batch mix into one, which makes the loss depend on who else is in the batch.
    """
    features = torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(fake, target, strict=True)]).sum()
    distance = torch.linalg.vector_norm(gram(fake[style]) - gram(target[style]), dim=(1, 2))
    return features + distance.mean()


def layered(fake: Sequence[Tensor], target: Sequence[Tensor], *, weights: Sequence[float] = RISING) -> Tensor:
    """L_VGG = sum_l w_l mean |Phi_l(I_t) - Phi_l(fake)| over relu1_1 .. relu5_1 (Wang et al. 2018, seeds 001 and 003).

    Feature maps (B, C_l, H_l, W_l) of those layers or what stands in their places; no gradient reaches the target's.
    """
    layers = zip(weights, fake, target, strict=True)
    return torch.stack([w * (a.float() - b.detach().float()).abs().mean() for w, a, b in layers]).sum()


def normalised(fake: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """L_p = sum_i |V_i(I_t) - V_i(fake)|_1 / (C_i H_i W_i) of each picture, the mean over the batch (seed 001).

    Feature maps (B, C_i, H_i, W_i) of relu1_2, relu2_2, relu3_3, relu4_3 or what stands in their places; no gradient
    reaches the target's.
    """
    return layered(fake, target, weights=(1.0,) * len(target))
