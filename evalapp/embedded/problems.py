import errno

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class ServiceProblem(Exception):
    """A service cannot start, stop or be found; the text says so in one sentence and how to fix it."""


def what_failed(error: OSError) -> str:
    """The file and the operating system's reason, for the middle of a sentence."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def is_no_room(error: OSError) -> bool:
    """Whether the disk is full or no longer takes writes."""
    return error.errno in _NO_ROOM
