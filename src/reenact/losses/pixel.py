"""Distance of two pictures, pixel by pixel."""

from torch import Tensor


def pixel(fake: Tensor, target: Tensor) -> Tensor:
    """L_pix = || G(I_s; e_t) - I_t ||_2^2 (seed 000), as the mean of squares over images, channels and pixels.

    Both (B, 3, H, W) in [-1, 1]. A sum would be 12,288 times larger at 64 px and leave no meaning to the weight 10;
    the authors' code squares a mean of absolute values instead.
    """
    return (fake - target).square().mean()
