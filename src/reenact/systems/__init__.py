"""The published systems, one file or folder each."""
