"""The folder `.venv`: created, repaired, and stamped once it is complete."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from installer.problems import InstallationProblem

_BEGUN = "evalapp-installing"
_STAMP = "evalapp-installed.json"


@dataclass(frozen=True)
class Stamp:
    """The content of an environment. `digest`: of its requirements; `absent`: why better engines are
    missing.
    """

    digest: str
    extras: tuple[str, ...]
    engine: str
    absent: dict[str, str] = field(default_factory=dict)

    def satisfies(self, digest: str, *, models: bool, test: bool) -> bool:
        return (
            self.digest == digest
            and (not models or "models" in self.extras)
            and (not test or "test" in self.extras)
        )


class VirtualEnvironment:
    """One environment on disk. It is complete if stamped, and rebuilt after an interrupted installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.uv = folder / "bin" / "uv"

    def read_stamp(self) -> Stamp | None:
        """The stamp of a complete installation; None without one, or if its interpreter no longer works."""
        try:
            entry = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
            stamp = Stamp(**{**entry, "extras": tuple(entry["extras"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return stamp if self._interpreter_works() else None

    def make_ready(self) -> None:
        """Provide an environment with pip and uv; an incomplete or broken one is rebuilt."""
        if self.folder.exists() and ((self.folder / _BEGUN).exists() or not self._interpreter_works()):
            print(f"{self.folder} is incomplete; creating it again.")
            self._remove()
        if not self.folder.exists():
            print(f"Making {self.folder} with Python {sys.version.split()[0]} …", flush=True)
            self._create()
        (self.folder / _STAMP).unlink(missing_ok=True)
        (self.folder / _BEGUN).touch()
        if not self.uv.exists():
            self._install_uv()

    def stamp(self, stamp: Stamp) -> None:
        """Mark the environment as complete."""
        temporary = self.folder / f"{_STAMP}.new"
        temporary.write_text(json.dumps(asdict(stamp), indent=1), encoding="utf-8")
        temporary.replace(self.folder / _STAMP)
        (self.folder / _BEGUN).unlink(missing_ok=True)

    def _interpreter_works(self) -> bool:
        try:
            probe = subprocess.run([self.python, "-c", "import pip"], capture_output=True, check=False)
        except OSError:
            return False
        return probe.returncode == 0

    def _create(self) -> None:
        made = subprocess.run(
            [sys.executable, "-m", "venv", self.folder], capture_output=True, text=True, check=False
        )
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise InstallationProblem(
                f"{sys.executable} cannot make a virtual environment:"
                f" {(made.stderr or made.stdout).strip()}\nOn Debian and Ubuntu, `apt install python3-venv`"
                " installs what is missing."
            )

    def _remove(self) -> None:
        # Only an environment may be removed: a mistyped folder must survive.
        if not (self.folder / "pyvenv.cfg").exists() and not (self.folder / _BEGUN).exists():
            raise InstallationProblem(
                f"{self.folder} is not a virtual environment, so it is not touched: move it away."
            )
        shutil.rmtree(self.folder)

    def _install_uv(self) -> None:
        done = subprocess.run(
            [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"], check=False
        )
        if done.returncode:
            raise InstallationProblem(
                "pip could not fetch the installer uv (see its output above): is the package index reachable?"
            )
