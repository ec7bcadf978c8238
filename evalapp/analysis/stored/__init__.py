"""Analyses that a job stores for large campaigns, and pages compute at once for small ones."""
