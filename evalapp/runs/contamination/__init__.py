"""Training rows that also evaluate: found, refused, or decided on by an owner."""
