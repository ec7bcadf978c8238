"""Training rows that are also used for evaluation: detection, refusal, and decisions by owners."""
