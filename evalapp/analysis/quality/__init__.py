"""The quality of a campaign while it runs: reading times and hints about reviewers."""
