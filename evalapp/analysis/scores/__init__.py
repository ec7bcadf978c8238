"""The reviews and scores of an analysis: as columns, filtered, or found by the disagreement finder."""
