"""Candidates beside one another: means, differences, subgroups, what answers took."""
