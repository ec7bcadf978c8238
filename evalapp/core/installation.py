"""The settings that all machines of one installation must share.

A worker of another release, or with other folders and no store, would take a run and lose it, so it checks
first.
"""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache

_KEY = "installation"
_PACKAGES = ("evalapp", "inference", "run_directory", "training")


class Installation(NamedTuple):
    """``source``: digest of the code; ``home``: id of the folder with runs and artifacts; ``store``: the
    shared store.
    """

    source: str
    home: str
    store: str


def announce() -> None:
    """Publish this machine's settings; `manage.py up` does so before the web server starts."""
    cache.set(_KEY, tuple(this_machine()), timeout=None)


def announced() -> Installation | None:
    """The settings of the machine with the pages; None if none was started with this broker."""
    found = cache.get(_KEY)
    return Installation(*found) if found else None


def this_machine() -> Installation:
    return Installation(_source(), _installation_id(), settings.ARTIFACT_STORE)


def this_installation() -> str:
    """An id that is the same on every machine of an installation, and different for every other."""
    other = announced()
    return other.home if other is not None else _installation_id()


def disagreements() -> Iterator[str]:
    """The reasons, as sentences, why this machine cannot work for the one that serves the pages."""
    this, other = this_machine(), announced()
    if other is None:
        yield (
            "No evalapp has been started with this DATABASE_URL and REDIS_URL: start `manage.py up` with the"
            " same two on the machine with the pages first."
        )
        return
    if this.source != other.source:
        yield (
            "This machine has another release than the one with the pages: check out the same commit on both"
            " and restart both."
        )
    if this.store != other.store:
        yield (
            f"EVALAPP_ARTIFACTS is {_store_or_none(this.store)} here and {_store_or_none(other.store)} on the"
            " machine with the pages: set the same on both."
        )
    elif not this.store and this.home != other.home:
        yield (
            f"EVALAPP_HOME ({settings.HOME}) is another folder than that of the machine with the pages, and"
            " there is no store between them: set EVALAPP_ARTIFACTS on both, or let both use one folder of a"
            " shared file system."
        )


def _source() -> str:
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
            digest.update(path.relative_to(settings.BASE_DIR).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _installation_id() -> str:
    path = Path(settings.HOME) / "installation-id"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")


def _store_or_none(store: str) -> str:
    return store or "not set"
