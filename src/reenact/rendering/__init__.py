"""Parametric faces drawn into ordinary videos: the embedded default data."""
