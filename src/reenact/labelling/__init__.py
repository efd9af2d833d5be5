"""Detection, tracking, landmarks, action units: one file per backend."""
