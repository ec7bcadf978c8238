"""Package sources: pip's settings as options for uv."""

import ast
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# In pip's order: environment, section of the command, global section.
_SECTIONS = (":env:", "install", "global")


@dataclass(frozen=True)
class Sources:
    """Environment variables for uv, and whether they name a source besides or instead of PyPI."""

    variables: Mapping[str, str]
    configured: bool


def read_sources(python: Path) -> Sources:
    """The settings of `python`'s pip; uv's own variables take precedence."""
    listed = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    return sources_from(parse_pip_settings(listed.stdout), os.environ)


def parse_pip_settings(text: str) -> dict[str, str]:
    """`pip config list` as name → value, with the value of the section that takes precedence."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        section, _, key = name.strip().rpartition(".")
        if separator and section in found:
            try:
                found[section][key] = str(ast.literal_eval(value.strip()))
            except (ValueError, SyntaxError):
                continue
    settings: dict[str, str] = {}
    for section in reversed(_SECTIONS):
        settings.update(found[section])
    return settings


def sources_from(pip: Mapping[str, str], environment: Mapping[str, str]) -> Sources:
    """The settings of pip as uv's environment variables."""
    links = ",".join(pip.get("find-links", "").split())
    translated = {
        "UV_FIND_LINKS": links,
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_CONSTRAINT": " ".join(pip.get("constraint", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    variables = {name: value for name, value in translated.items() if value and name not in environment}
    places = {**environment, **variables}
    configured = any(
        places.get(name) for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL")
    )
    return Sources(variables=variables, configured=configured)
