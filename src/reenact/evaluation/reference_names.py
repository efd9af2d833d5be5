"""Names of the reference rows of every table: real pictures, scored as if they were drawn. Free of pandas."""

COPY_SOURCE, GROUND_TRUTH = "copy source", "ground truth"
NEAREST_FRAME, OTHER_IDENTITY = "nearest frame", "other identity"
REFERENCES = (COPY_SOURCE, GROUND_TRUTH, NEAREST_FRAME, OTHER_IDENTITY)
