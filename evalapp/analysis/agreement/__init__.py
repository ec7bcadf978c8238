"""Agreement and severity of reviewers."""
