"""Metrics, judges, protocols, statistics, tables."""
