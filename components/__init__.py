"""Kubeflow components: one thin file per stage."""
