"""Binary cross-entropy on probabilities."""

from torch import Tensor

FLOOR = 1e-7  # keeps the logarithm and its gradient finite where a discriminator is certain


def towards_real(probability: Tensor) -> Tensor:
    """L_adv = -mean log D(fake): the non-saturating loss of the generator (seed 000).

    (B,) probabilities, one per image: the mean over its patches, as seed 000 describes and its authors' code does.
    """
    return -probability.float().clamp_min(FLOOR).log().mean()


def real_or_fake(real: Tensor, fake: Tensor) -> Tensor:
    """L_D = -1/(2N) (sum log D(real) + sum log(1 - D(fake))), averaged over the 2N images (seed 000)."""
    return 0.5 * (towards_real(real) + towards_real(1.0 - fake.float()))
