"""The run directory that a model program reads and writes, and how the program is started."""
