class ServiceProblem(Exception):  # noqa: N818 - it is shown to people, as what it is
    """A service cannot start, stop or be found; the text is one sentence and how to mend it."""
