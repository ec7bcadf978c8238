"""The trainings of a sweep beside one another, and their learning curve."""
