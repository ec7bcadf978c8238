"""Which reviews and scores an analysis is of: as columns, filtered, or found by the disagreement finder."""
