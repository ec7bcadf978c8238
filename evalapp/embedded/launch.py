"""Replaces itself by another program that ends when its parent does.

Usage: python launch.py PARENT_PID DEATH_SIGNAL NICENESS PROGRAM [ARGUMENT …]

Runs by path, in isolation (`python -I -S`), so it imports nothing of the project. The parent-death signal
survives the exec, and covers what no handler can: a parent that was killed with SIGKILL.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, niceness = (int(word) for word in sys.argv[1:4])
    command = sys.argv[4:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # the parent died before the prctl call
            sys.exit(1)
    if niceness:
        os.nice(niceness)
    os.execvp(command[0], command)  # noqa: S606 - the point of this file


if __name__ == "__main__":
    main()
