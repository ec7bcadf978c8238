class InstallationProblem(Exception):
    """Setting up cannot go on; the text is a sentence and how to fix it."""
