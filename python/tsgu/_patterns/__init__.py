"""Patterns, the layouts of matrices, and matrices taken apart into a pattern and values."""
