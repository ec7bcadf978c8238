"""Analyses of large campaigns: what a job stores, and the same analysis for a small campaign at once."""
