"""Statistical power: how likely a design is to show an expected difference."""
