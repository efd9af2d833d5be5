"""What is measured: one file per metric, listed in `catalogue.METRICS`."""
