"""A hub of one process: what huggingface_hub's own client asks of huggingface.co, answered from a folder.

Verified against that client: every test here goes through it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """``models``: folders by repository. Each asked-for path stands in ``asked``, with its token."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.models: dict[str, Path] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        """Status and the hub's error code, by repository."""
        self.token = ""
        """Where it is set, nothing is given without it."""
        self.cut_at: int | None = None
        """Bytes after which the next file that is larger breaks off, once."""
        self.page = b""
        """What a refusal answers with instead, as a proxy does."""
        self.wrong_bytes = False
        self.leads_to = ""
        """Another host that the files are on."""
        self.waits_for: threading.Event | None = None

    def info(self, repository: str, folder: Path) -> dict[str, Any]:
        siblings = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry: dict[str, Any] = {
                "rfilename": str(path.relative_to(folder)), "size": path.stat().st_size, "blobId": "0" * 40,
            }  # fmt: skip
            if path.suffix == ".safetensors":
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": path.stat().st_size, "pointerSize": 134}
            siblings.append(entry)
        return {
            "id": repository, "modelId": repository, "sha": COMMIT, "private": False, "gated": False,
            "downloads": 1,
            "tags": [], "cardData": {"license": "apache-2.0"}, "siblings": siblings,
        }  # fmt: skip


@contextmanager
def serving() -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    _INFO = re.compile(r"/api/models/(?P<repository>[^?]+?)/revision/(?P<revision>[^?]+)")
    _FILE = re.compile(r"/(?P<repository>[^?]+?)/resolve/(?P<revision>[^/?]+)/(?P<name>[^?]+)")

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append((path, self.headers.get("Authorization", "")))
        found = self._INFO.fullmatch(path) or self._FILE.fullmatch(path)
        if found is None:
            return self._refuse(404, "")
        repository = found["repository"]
        if repository in self.hub.refuse:
            return self._refuse(*self.hub.refuse[repository])
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._refuse(401, "RepoNotFound")
        if repository not in self.hub.models:
            return self._refuse(404, "RepoNotFound")
        if found["revision"] not in ("main", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        folder = self.hub.models[repository]
        if "name" not in found.groupdict():
            body = json.dumps(self.hub.info(repository, folder)).encode()
            return self._send(200, body, {"Content-Type": "application/json"}, with_body=with_body)
        return self._file(folder / found["name"], with_body=with_body)

    def _file(self, path: Path, *, with_body: bool) -> None:
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        if self.hub.leads_to:
            headers = {
                "Location": f"{self.hub.leads_to}{self.path}", "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": '"abc"', "X-Linked-Size": str(path.stat().st_size),
            }  # fmt: skip
            return self._send(302, b"", headers, with_body=True)
        body = path.read_bytes()
        etag = hashlib.sha256(body).hexdigest()
        if self.hub.wrong_bytes and path.suffix == ".safetensors":
            body = body[:-1] + bytes([body[-1] ^ 1])
        whole, status = len(body), 200
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if given := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(given[1])
            body, status = body[start:], 206
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        return self._send(status, body, headers, with_body=with_body)

    def _refuse(self, status: int, code: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": "Not for you."} if code else {}
        self._send(
            status, self.hub.page or b'{"error": "Not for you."}', headers, with_body=self.command != "HEAD"
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not with_body:
            return
        cut = self.hub.cut_at
        if cut is not None and len(body) > cut:
            self.hub.cut_at = None
            self.wfile.write(body[:cut])
            self.wfile.flush()
            if self.hub.waits_for is not None:
                self.hub.waits_for.wait(60)
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(body)
