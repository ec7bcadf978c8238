"""A restore that is killed at its Nth step, for a test that then looks at what is left.

Usage: python -m tests.embedded.killed_restore FILE N. Every rename and each side of the database's
transaction is a step; where there are fewer than N, the restore ends by itself.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalapp.embedded import restores
from evalapp.env import read_environment


def main(source: Path, last: int) -> None:
    steps = iter(range(1, 1000))

    def step() -> None:
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            step()
            result = call(*arguments)
            step()
            return result

        return called

    for name in ("rename", "mkdir", "unlink"):
        setattr(Path, name, _with_keywords(getattr(Path, name), step))
    restores._replace_database = stepping(restores._replace_database)
    restores.unpack_backup = stepping(restores.unpack_backup)
    restores.write_whole = stepping(restores.write_whole)
    restores.shutil.rmtree = _with_keywords(restores.shutil.rmtree, step)
    restores.restore(read_environment(), source)


def _with_keywords(call: Callable[..., Any], step: Callable[[], None]) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        step()
        return call(*arguments, **options)

    return called


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
