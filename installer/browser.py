"""The browser of the end-to-end tests: the system's Chromium package."""

import os
import shutil
import subprocess

from installer.problems import InstallationProblem

# The headless shell is the same engine without windows; the tests take a sixth less time in it.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Debian 13 has both packages, earlier releases only the second.
_PACKAGES = ("chromium-headless-shell", "chromium")
_FONTS = "fonts-liberation"


def ensure_chromium() -> None:
    """Install Chromium if it is missing. Raises InstallationProblem with instructions if that is not
    possible.
    """
    if find_chromium() is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise InstallationProblem(
            "the tests need a browser and there is none: install Chromium"
            " (on Debian `apt install chromium`), then run again."
        )
    print("Installing Chromium for the browser tests (about 250 MB) …", flush=True)
    _apt_get("update")
    if not any(_apt_get("install", "-y", "--no-install-recommends", name, _FONTS) for name in _PACKAGES):
        raise InstallationProblem("`apt-get install chromium` failed: install Chromium, then run again.")


def _apt_get(*arguments: str) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-qq", *arguments], env=quiet, stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)
