"""Candidates compared: means, differences, subgroups, usage."""
