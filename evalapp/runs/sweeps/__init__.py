"""Several trainings that differ in a few settings."""
