"""Landmarks, visibility and pose of turned heads, by small networks trained on drawn faces only."""
