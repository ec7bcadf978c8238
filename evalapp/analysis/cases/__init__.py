"""From a number to the outputs and reviews behind it."""
