"""Settings of what is measured where single action units, angles and backgrounds are changed; free of torch."""

from pydantic import Field

from reenact.config import Settings


class SweepSettings(Settings):
    """Each of the 17 action units from 0 to 5 and each angle from -30 to 30 degrees, all else as it is."""

    people: int = Field(default=0, ge=0)  # test persons, 0: no sweeps
    levels: int = Field(default=6, ge=2, le=31)  # steps of each, the ends included


class BackgroundSettings(Settings):
    """Test pairs within a person, drawn before another clip's picture and before the source's own surroundings."""

    pairs: int = Field(default=0, ge=0)  # 0: none
