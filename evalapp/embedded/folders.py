import os
import stat
from pathlib import Path

from evalapp.embedded.problems import ServiceProblem


def make_private_folder(folder: Path) -> None:
    """Create a folder with mode 0700, or check that the existing one is ours and close it to others.

    Raises ServiceProblem if it belongs to another user (in a shared /tmp, that is an attack), is a link, or
    cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise ServiceProblem(
            f"{folder} cannot be used: {error.strerror}. Set EVALAPP_HOME to a folder of yours."
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), 0}:
        raise ServiceProblem(
            f"{folder} belongs to another user, so no secrets can be stored there: remove it or set"
            " EVALAPP_HOME to a folder with a shorter path."
        )
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
