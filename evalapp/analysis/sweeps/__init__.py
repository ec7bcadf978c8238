"""Comparison of a sweep's trainings, and their learning curve."""
