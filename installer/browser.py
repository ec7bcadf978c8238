"""The browser of the end-to-end tests: Chromium as the system packages it."""

import os
import shutil
import subprocess

from installer.problems import InstallationProblem

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = ("chromium", "fonts-liberation")


def ensure_chromium() -> None:
    """Install it where it is missing and may be installed; else say what to install."""
    if find_chromium() is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise InstallationProblem(
            "the tests need a browser and there is none: install Chromium"
            " (on Debian `apt install chromium`), then run again."
        )
    print("Installing Chromium for the browser tests (about 300 MB) …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES],
    ):
        if subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False).returncode:
            raise InstallationProblem(f"`{' '.join(command)}` failed: install Chromium, then run again.")


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)
