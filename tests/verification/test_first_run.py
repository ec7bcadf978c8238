"""`make run` as the README says, on a clone in an empty folder with an empty HOME and nothing left over.

`make test` is run in such a clone by the build server, for every change.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installations import free_port

pytestmark = pytest.mark.verification

REPOSITORY = Path(__file__).parent.parent.parent
RUN_SECONDS = 900


@pytest.fixture
def clone() -> Iterator[Path]:
    # Directly under /tmp: a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="clone-", dir="/tmp"))
    try:
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder / "evalapp")], check=True)
        (folder / "home").mkdir()
        yield folder / "evalapp"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bare_environment(clone: Path, **variables: str) -> dict[str, str]:
    """What a fresh account has; the package index's own settings stay."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if ".venv" not in folder)
    return {**kept, "PATH": path, "HOME": str(clone.parent / "home"), "LANG": "C.UTF-8", **variables}


@pytest.mark.parametrize("variant", [(), ("DEMO=0", "MODELS=0")])
def test_make_run_serves_the_product_and_stops_in_order(clone: Path, variant: tuple[str, ...]):
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["make", "run", *variant],
        cwd=clone,
        env=bare_environment(clone, EVALAPP_BIND=address),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    told = ""
    try:
        for line in process.stdout or ():
            told += line
            if re.search(r"evalapp runs at http://", line):
                break
        assert f"http://{address}" in told, told[-3000:]
        with urllib.request.urlopen(f"http://{address}/accounts/login/", timeout=30) as page:
            assert page.status == 200
        if not variant:
            assert "Log-ins of the demonstration" in next(iter(process.stdout or ()))
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=RUN_SECONDS)
    assert not list((clone / "var" / "run").glob(".s.PGSQL.*")), "PostgreSQL is gone"
