"""Candidates whose outputs were compared or ranked."""
