"""One attempt of a run: start the program, follow it, store its results."""
