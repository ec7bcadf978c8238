"""Set up what `make run` and `make test` need: `python3 -m installer [--web-only] [--test]`.

Uses only the standard library, since nothing else is installed yet.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWER_INTERPRETERS = ("python3.14", "python3.13", "python3.12", "python3.11")


def use_new_enough_python() -> None:
    """Restart under Python 3.11 or later; this file must therefore parse under any Python 3."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER_INTERPRETERS:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, "-m", "installer", *sys.argv[1:]])  # noqa: S606 - no shell is wanted
    sys.exit(
        f"evalapp needs Python 3.11 or later, and this is {sys.version.split()[0]}: install one, or name it"
        " with `make run PYTHON=/path/to/python3`."
    )


if __name__ == "__main__":
    use_new_enough_python()
    from installer.command import main

    sys.exit(main(sys.argv[1:]))
