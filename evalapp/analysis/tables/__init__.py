"""The pages' tables, for copies and reports."""
