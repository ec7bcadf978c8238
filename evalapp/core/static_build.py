"""The charts' browser bundle, from the wheel that also renders charts on the server.

No Node, no CDN, no vendored file: `vl-convert-python` contains Vega-Lite and writes it as one script.
"""

import gzip
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

BUNDLE = "vega.js"
_STAMP = "/* Vega-Lite, Vega and Vega-Embed (BSD-3-Clause) out of vl-convert-python {} */\n"


def build_browser_bundle(destination: Path) -> Path:
    """Write ``vega.js`` into the folder ``destination``, created if missing, and return its path.

    Takes about two seconds; an existing bundle of the installed release is kept. The script sets
    ``window.vegaEmbed``; it needs no `eval` for charts with ``ast: true``.
    """
    target = destination / BUNDLE
    stamp = _STAMP.format(version("vl-convert-python"))
    if _begins_with(target, stamp):
        return target
    import vl_convert

    _write_whole(target, stamp + vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return target


def bundle_sizes(path: Path) -> tuple[int, int]:
    """The script's size in bytes, uncompressed and with gzip."""
    content = path.read_bytes()
    return len(content), len(gzip.compress(content, mtime=0))


def _begins_with(path: Path, stamp: str) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(len(stamp)) == stamp
    except FileNotFoundError:
        return False


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
