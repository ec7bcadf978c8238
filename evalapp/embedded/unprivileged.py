"""Runs PostgreSQL as another user if evalapp is root."""

import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import RunAs

# The kernel's "nobody"; any number but 0 would do, since it exists only inside the namespace.
_NAMESPACE_USER = 65534
_USERS_TO_TRY = ("postgres", "nobody")
_PROBE_SECONDS = 10


@dataclass(frozen=True)
class Disguise:
    """A prefix for PostgreSQL's commands, or the user to run them as."""

    prefix: tuple[str, ...] = ()
    run_as: RunAs | None = None

    def own(self, folder: Path) -> None:
        """Give a folder and its contents to the user that the server runs as, if that is another user."""
        if self.run_as is None:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.run_as.user, self.run_as.group, follow_symlinks=False)


def disguise_for(program: Path, folder: Path) -> Disguise:
    """How to run `program` on files in `folder` without being root.

    An ordinary user needs nothing. Root gets a user namespace, in which its files keep their owner and mode;
    else an unprivileged user that can reach both paths. Raises ServiceProblem if neither works.
    """
    if os.geteuid() != 0:
        return Disguise()
    if prefix := _namespace_prefix():
        return Disguise(prefix=prefix)
    for name in _USERS_TO_TRY:
        if (run_as := _user(name)) and _can_reach(run_as, program, folder):
            return Disguise(run_as=run_as)
    raise ServiceProblem(
        "PostgreSQL refuses to run as root, this machine allows no user namespaces, and no"
        f" unprivileged user ({' or '.join(_USERS_TO_TRY)}) can reach {program.parent} and {folder}:"
        " start evalapp as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours."
    )


@functools.cache
def _namespace_prefix() -> tuple[str, ...]:
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    prefix = (unshare, "--user", f"--map-user={_NAMESPACE_USER}", f"--map-group={_NAMESPACE_USER}")
    try:
        probe = subprocess.run([*prefix, "true"], capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if probe.returncode == 0 else ()


def _user(name: str) -> RunAs | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return RunAs(found.pw_uid, found.pw_gid)


def _can_reach(user: RunAs, program: Path, folder: Path) -> bool:
    # `cd` to the parent: the folder itself changes its owner later, its parents do not.
    try:
        probe = subprocess.run(
            ["sh", "-c", 'cd "$1" && exec "$0" --version', program, folder.parent],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
            user=user.user,
            group=user.group,
            extra_groups=[],
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
