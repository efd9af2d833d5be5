"""Loss functions, one file per family, each formula with its source."""
