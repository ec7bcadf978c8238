"""Training rows, settings and progress of trainings."""
