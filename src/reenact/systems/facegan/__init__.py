"""FACEGAN of seed 001: landmarks moved by action units, a face drawn from them, and the background put behind it."""
