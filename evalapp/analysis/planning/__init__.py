"""Statistical power: how likely a design is to show what is expected."""
