"""The browser of the tests is installed where it can be, by the name that the system has for it."""

import os
from pathlib import Path

import pytest

from installer import browser
from installer.problems import InstallationProblem

KNOWN_PACKAGES = {
    "debian-13": {"chromium-headless-shell", "chromium", "fonts-liberation"},
    "debian-12": {"chromium", "fonts-liberation"},
    "none": {"fonts-liberation"},
}


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser, whose apt-get knows these packages and writes a program for a browser."""
    programs = tmp_path / "bin"
    programs.mkdir()
    known = " ".join(sorted(KNOWN_PACKAGES[request.param]))
    apt = programs / "apt-get"
    apt.write_text(
        f"""#!/bin/sh
case " $* " in *" update "*) exit 0 ;; esac
for word in "$@"; do
  case "$word" in -*|install) continue ;; esac
  case " {known} " in *" $word "*) ;; *) exit 100 ;; esac
done
for word in "$@"; do
  case "$word" in chromium*) : > "{programs}/$word"; /bin/chmod +x "{programs}/$word" ;; esac
done
"""
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return programs


@pytest.mark.parametrize(
    ("system", "name"),
    [("debian-13", "chromium-headless-shell"), ("debian-12", "chromium")],
    indirect=["system"],
)
def test_a_missing_browser_is_installed_under_the_name_that_the_system_has(system: Path, name: str) -> None:
    browser.ensure_chromium()
    assert browser.find_chromium() == str(system / name)


@pytest.mark.parametrize("system", ["none"], indirect=True)
def test_what_cannot_be_installed_is_said(system: Path) -> None:
    with pytest.raises(InstallationProblem, match="install Chromium, then run again"):
        browser.ensure_chromium()


@pytest.mark.parametrize("system", ["debian-13"], indirect=True)
def test_nothing_is_installed_without_the_right_to(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InstallationProblem, match="apt install chromium"):
        browser.ensure_chromium()
    assert browser.find_chromium() is None
