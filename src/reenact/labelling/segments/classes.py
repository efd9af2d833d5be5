"""What other people's class numbers mean: theirs to background, face, hair."""

from collections.abc import Iterable
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from reenact.config import Settings

Number = Annotated[int, Field(ge=0, le=255)]


class ClassSettings(Settings):
    """Which class numbers are face (with ears, neck, glasses) and which are hair; all others are background."""

    face: tuple[Number, ...]
    hair: tuple[Number, ...]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        both = set(self.face) & set(self.hair)
        if both:
            raise ValueError(f"class {min(both)} stands under face and under hair")
        return self

    def segments(self, classes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """0 background, 1 face, 2 hair, in the shape of `classes` (numbers 0..255)."""
        table = np.zeros(256, dtype=np.uint8)
        table[_listed(self.face)], table[_listed(self.hair)] = 1, 2
        return table[np.asarray(classes, dtype=np.uint8)]


def _listed(numbers: Iterable[int]) -> list[int]:
    return list(numbers)


# The 19 classes of CelebAMask-HQ in the order of zllrunning/face-parsing.PyTorch and its many relatives: 1 skin, 2-3
# brows, 4-5 eyes, 6 glasses, 7-8 ears, 9 earring, 10 nose, 11 mouth, 12-13 lips, 14 neck, 15 necklace, 16 cloth,
# 17 hair, 18 hat.
CELEBA_MASK = ClassSettings(face=tuple(range(1, 16)), hair=(17,))
OURS = ClassSettings(face=(1,), hair=(2,))
