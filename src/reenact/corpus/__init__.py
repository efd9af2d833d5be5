"""Clips on disk: shards, tables, splits, sampling."""
