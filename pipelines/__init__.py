"""Kubeflow pipelines: lists of steps in the order in which data flows."""
