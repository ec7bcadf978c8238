"""Time from `manage.py up` to the first page, in an empty and in a used home, and memory of the web server.

    python -m bench.start [--rounds 3] [--pages 200] [--without-models]

Targets: the first page within 30 s in an empty home and within 10 s the next time, and 350 MB (PSS: shared
pages are divided among the processes that share them) for all web processes together, once each of them has
answered a request.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proofs.figures import MISSED, report_figure

FIRST_SECONDS, NEXT_SECONDS, WEB_MEGABYTES = 30.0, 10.0, 350.0
PATIENCE_SECONDS = 120.0
REPOSITORY = Path(__file__).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=200, help="pages to request before memory is measured")
    parser.add_argument("--without-models", action="store_true", help="fetch no model and run none")
    options = parser.parse_args()
    arguments = ["--without-model-worker"] if options.without_models else []
    firsts, nexts, memories = [], [], []
    for _ in range(options.rounds):
        home = Path(tempfile.mkdtemp(prefix="evalapp-bench-", dir="/tmp"))
        try:
            firsts.append(start_once(home, arguments, options.pages)[0])
            again, memory = start_once(home, arguments, options.pages)
            nexts.append(again)
            memories.append(memory)
        finally:
            shutil.rmtree(home, ignore_errors=True)
        print(f"first {firsts[-1]:.1f} s, next {nexts[-1]:.1f} s, web {memories[-1]:.0f} MB", flush=True)
    reached = [
        report_figure("first page", statistics.median(firsts), "s", at_most=FIRST_SECONDS),
        report_figure("next time", statistics.median(nexts), "s", at_most=NEXT_SECONDS),
        report_figure("memory of the web server", statistics.median(memories), "MB", at_most=WEB_MEGABYTES),
    ]
    return 0 if all(reached) else MISSED


def start_once(home: Path, arguments: Sequence[str], pages: int) -> tuple[float, float]:
    """Start `manage.py up` with these arguments; returns the seconds until the sign-in page, and the web
    processes' MB after ``pages`` pages.
    """
    from evalapp.embedded import state
    from evalapp.env import read_environment

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"EVALAPP_HOME": str(home), "EVALAPP_BIND": f"127.0.0.1:{port}"}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVALAPP_", "DATABASE_URL", "REDIS_URL"))
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=REPOSITORY,
        env=inherited | variables,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}/accounts/login/"
        while not answers(address):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE_SECONDS:
                raise SystemExit("It did not start.")
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        with ThreadPoolExecutor(8) as clients:
            served = sum(clients.map(answers, [address] * pages))
        if served != pages:
            raise SystemExit(f"Only {served} of {pages} pages were served.")
        services = state.read(read_environment(variables))
        web = next(service.pid for service in services if service.name == "web")
        return seconds, state.process_memory(web or 0) / 1e6
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as page:
            return bool(page.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    sys.exit(main())
