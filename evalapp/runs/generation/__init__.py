"""Outputs: requests to endpoints, imported answers, shards of a large generation."""
