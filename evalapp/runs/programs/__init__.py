"""Run directories of model programs, and the start of the programs."""
