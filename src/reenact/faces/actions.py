"""The 17 action units whose intensity OpenFace estimates, 0..5 on disk, in OpenFace's order."""

ACTION_UNITS = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12",
    "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU45",
)  # fmt: skip
MAXIMUM = 5.0

# A mirrored face has the same action units: all 17 are defined on both sides together.
