"""MLflow, lineage, registry."""
