"""How wide and deep a network is at another picture size than its publication's.

Channels go with the side of the picture, so that a small picture's network is as much smaller as the picture; halvings
go with the side's power of two, so that the bottleneck keeps about its side. At the published size and above it
everything is as published.
"""

import math

PUBLISHED = 224  # px


def width_for(size: int, *, published: int = 64, at: int = PUBLISHED) -> int:
    """Channels of a first layer, in steps of 8: 64 at 224 px and above, 40 at 128, 16 at 64."""
    return min(published, max(8, 8 * round(published * size / at / 8)))


def halvings_for(size: int, *, published: int = 4, at: int = PUBLISHED) -> int:
    """How often the picture's side is halved: 4 at 224 px and above, 3 at 128, 2 at 64."""
    return min(published, max(1, published + round(math.log2(size / at))))
