"""The limits of a rubric and its criteria."""

from decimal import Decimal

MOST_CRITERIA = 30
MOST_TAGS = 20
LOWEST_LEVEL = -10
HIGHEST_LEVEL = 100
MOST_LEVELS = 101
MOST_STEPS = 20
"""Limit for ``steps_per_point``."""
MOST_BUTTONS = 11
"""The most levels with buttons; a scale with more is answered by entering the number."""
MOST_OPTIONS = 20
HIGHEST_WEIGHT = Decimal(100)
LONGEST_NAME = 80
LONGEST_KEY = 40
LONGEST_TAG = 60
LONGEST_LEVEL_DESCRIPTION = 500
LONGEST_EXAMPLE = 4_000
LONGEST_HELP = 2_000
LONGEST_DESCRIPTION = 2_000
LONGEST_INSTRUCTIONS = 20_000
LONGEST_WORDS = 20_000
"""Limit of text answers and comments."""
