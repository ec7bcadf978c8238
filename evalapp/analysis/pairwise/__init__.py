"""Results of candidates whose outputs were compared or ranked."""
