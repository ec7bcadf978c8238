class InstallationProblem(Exception):
    """The setup cannot go on; the text is a sentence and how to fix it."""
