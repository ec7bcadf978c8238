class InstallationProblem(Exception):  # noqa: N818 - it is shown to people, as what it is
    """Setting up cannot go on; the text is a sentence and how to mend it."""
