"""`python -m run_directory.remote_program`: a model program on a machine that has neither web nor database.

A cluster's node runs it. With a store it fetches the run directory and what that reads, keeps the store up to
date while the program works, and ends with the program's exit code; without one the folder is on a file
system that all machines share.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from run_directory.inputs import INPUTS_FILE, BaseDescription, Input, Inputs, chosen_base, link_inputs
from run_directory.protocol import ExitCode
from run_directory.records import RecordError
from run_directory.saver import RunSaver
from run_directory.saves import SavedRun
from run_directory.store import StoreError, opened
from run_directory.trees import fetch_tree

SAVE_SECONDS = 2.0
CONSOLE_FILE = "console.log"
_DEEPEST = 3


class CannotRun(Exception):
    """Something is missing on this machine; the message says what and how to fix it."""


def main(arguments: list[str]) -> int:
    wanted = _parsed(arguments)
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    try:
        return _carried(wanted, stop)
    except (StoreError, CannotRun, RecordError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE


class _Stop:
    """Passes a stop request on to the program; this process waits for it and then saves."""

    def __init__(self) -> None:
        self.is_asked = False
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, *_: object) -> None:
        self.is_asked = True
        if self._process is not None:
            self._process.terminate()

    def hand_on_to(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        if self.is_asked:
            process.terminate()


def _carried(wanted: argparse.Namespace, stop: _Stop) -> int:
    if wanted.store is None:
        return _run(wanted, wanted.folder, None, stop)
    folder, saver = _fetched(wanted)
    status = _run(wanted, folder, saver, stop)
    saver.save(with_checkpoints=status != ExitCode.SUCCEEDED)
    return status


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m run_directory.remote_program", description=__doc__)
    parser.add_argument("program", choices=["training", "training.dry_run", "inference"])
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--folder", type=Path, help="the run directory, where all machines share it")
    place.add_argument("--store", help="URL of the store, where they do not")
    parser.add_argument("--key", help="name of the run in the store")
    parser.add_argument("--save", type=int, help="number under which it is saved")
    parser.add_argument("--processes", type=int, default=1, help="that a training is shared by")
    parsed = parser.parse_args(arguments)
    if parsed.store is not None and (parsed.key is None or parsed.save is None):
        parser.error("--store needs --key and --save")
    return parsed


def _fetched(wanted: argparse.Namespace) -> tuple[Path, RunSaver]:
    store = opened(wanted.store)
    home = _home()
    run = SavedRun(store, wanted.key, home / "runs" / wanted.key)
    restored = run.restore(wanted.save)
    if restored is None:
        raise CannotRun(f"{wanted.store} has nothing of the run {wanted.key}.")

    def find(wanted_input: Input) -> Path:
        if wanted_input.artifact is None:
            return _base(wanted_input, home)
        folder = home / "artifacts" / wanted_input.artifact
        if not folder.is_dir() and not fetch_tree(store, f"artifacts/{wanted_input.artifact}", folder):
            raise CannotRun(
                f"{store.url} does not have the artifact {wanted_input.artifact} ({wanted_input.name})."
            )
        return folder

    inputs = Inputs.from_json((run.folder / INPUTS_FILE).read_bytes(), where=INPUTS_FILE)
    link_inputs(run.folder, inputs.inputs, find)
    return run.folder, RunSaver(run, wanted.save, restored)


def _run(wanted: argparse.Namespace, folder: Path, saver: RunSaver | None, stop: _Stop) -> int:
    if stop.is_asked:
        return 128 + signal.SIGTERM
    command = [sys.executable, "-m", wanted.program, str(folder), "--parent-pipe", "0"]
    if wanted.processes > 1:
        command += ["--processes", str(wanted.processes)]
    with (folder / CONSOLE_FILE).open("ab") as console:
        # When this process ends, the pipe closes, and the program saves its work and ends.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=console,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )
    stop.hand_on_to(process)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(SAVE_SECONDS)
            break
        if saver is not None:
            with contextlib.suppress(StoreError):
                saver.save()
    return status if status >= 0 else 128 - status


def _base(wanted: Input, home: Path) -> Path:
    named = os.environ.get("EVALAPP_MODEL_FOLDERS", "")
    roots = [Path(part) for part in named.split(os.pathsep) if part] or [home / "models"]
    folders = [Path(wanted.folder or "")]
    for root in roots:
        folders += [
            root,
            *(found for depth in range(1, _DEEPEST + 1) for found in root.glob("/".join("*" * depth))),
        ]
    found = chosen_base(
        BaseDescription(wanted.fingerprint or "", wanted.settings or {}),
        (folder for folder in folders if (folder / "config.json").is_file()),
    )
    if found.folder is None:
        raise CannotRun(
            f"The base “{wanted.name}” is in no model folder of {os.uname().nodename}"
            f" ({', '.join(map(str, roots))}): copy the folder {wanted.folder} there from the machine that"
            f" has it, or add its folder to EVALAPP_MODEL_FOLDERS. {found.unlike}".rstrip()
        )
    return found.folder


def _home() -> Path:
    """The machine's own folder for runs and artifacts. Raises CannotRun if it belongs to another user."""
    home = Path(os.environ.get("EVALAPP_HOME") or Path(tempfile.gettempdir()) / f"evalapp-node-{os.getuid()}")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.lstat().st_uid != os.getuid():
        raise CannotRun(f"{home} belongs to another user; set EVALAPP_HOME to a folder of yours.")
    return home


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
