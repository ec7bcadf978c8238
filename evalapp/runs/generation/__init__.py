"""Outputs: what is asked, imported answers, shards of a large generation."""
