"""What a training learns from, its settings, and how it goes."""
