"""A hub of one process: what huggingface_hub's own client asks of huggingface.co, answered from a folder;
and what it sends there of datasets, kept in memory.

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

from tests.hub.dataset_repositories import DatasetRepository, git_hash, is_large

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
        self.datasets: dict[str, DatasetRepository] = {}
        self.stored: dict[str, bytes] = {}
        """Large files of datasets by SHA-256."""
        self.writers: set[str] | None = None
        """Organisations that the token may write to; None: all."""
        self.refuse_at: dict[str, tuple[int, bytes]] = {}
        """Status and body by what is asked: create, preupload, batch, upload, commit."""
        self.storage = url
        """Where large files are sent to."""
        self.waits_at: dict[str, threading.Event] = {}
        """What is answered only after this: upload, and commit, which is made before."""
        self.reached = threading.Event()
        """Something waits."""

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
    _DATASET = re.compile(r"/api/datasets/(?P<repository>[^/]+/[^/]+)")
    _STEPS = {
        "create": re.compile(r"/api/repos/create"),
        "validate": re.compile(r"/api/validate-yaml"),
        "preupload": re.compile(r"/api/datasets/(?P<repository>[^/]+/[^/]+)/preupload/main"),
        "batch": re.compile(r"/datasets/(?P<repository>[^/]+/[^/]+)\.git/info/lfs/objects/batch"),
        "verify": re.compile(r"/datasets/(?P<repository>[^/]+/[^/]+)\.git/info/lfs/objects/verify"),
        "upload": re.compile(r"/storage/(?P<oid>[0-9a-f]{64})"),
        "commit": re.compile(r"/api/datasets/(?P<repository>[^/]+/[^/]+)/commit/main"),
    }
    _FILE = re.compile(r"/(?P<repository>[^?]+?)/resolve/(?P<revision>[^/?]+)/(?P<name>[^?]+)")

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_POST(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append((path, self.headers.get("Authorization", "")))
        if found := self._DATASET.fullmatch(path):
            return self._dataset_info(found["repository"])
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

    def _dataset_info(self, name: str) -> None:
        if "info" in self.hub.refuse_at:
            return self._refuse_at("info")
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._refuse(401, "RepoNotFound")
        dataset = self.hub.datasets.get(name)
        if dataset is None or (dataset.is_private and not self._may_write(name)):
            return self._refuse(404, "RepoNotFound")
        return self._json(dataset.info(name))

    def _may_write(self, name: str) -> bool:
        is_known = self.headers.get("Authorization") == f"Bearer {self.hub.token}"
        return is_known and (self.hub.writers is None or name.partition("/")[0] in self.hub.writers)

    def _take(self) -> None:
        """A step of a push."""
        path = self.path.partition("?")[0]
        self.hub.asked.append((path, self.headers.get("Authorization", "")))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step, found = next(
            (step, found) for step, way in self._STEPS.items() if (found := way.fullmatch(path))
        )
        if step in self.hub.refuse_at:
            return self._refuse_at(step)
        if step == "upload":
            return self._upload(found["oid"], body)
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._refuse(401, "")
        given = [json.loads(line) for line in body.splitlines()]
        if step in ("create", "validate"):
            return self._create(given[0]) if step == "create" else self._json({"warnings": [], "errors": []})
        if not self._may_write(found["repository"]):
            return self._refuse(403, "")
        dataset = self.hub.datasets[found["repository"]]
        if step == "preupload":
            return self._json({"files": [self._mode(dataset, each) for each in given[0]["files"]]})
        if step == "verify":
            return self._json({}, 200 if given[0]["oid"] in self.hub.stored else 404)
        if step == "batch":
            return self._batch(found["repository"], given[0])
        return self._commit(found["repository"], dataset, given)

    def _create(self, given: dict[str, Any]) -> None:
        name = f"{given['organization']}/{given['name']}"
        assert given["type"] == "dataset"
        if not self._may_write(name):
            return self._refuse(403, "") if name not in self.hub.datasets else self._refuse(409, "")
        if name in self.hub.datasets:
            return self._json({"error": "You already created this dataset repo", "url": name}, 409)
        self.hub.datasets[name] = DatasetRepository(is_private=given["visibility"] == "private")
        return self._json({"url": f"{self.hub.url}/datasets/{name}", "name": name})

    @staticmethod
    def _mode(dataset: DatasetRepository, given: dict[str, Any]) -> dict[str, Any]:
        held = dataset.files.get(given["path"])
        if held is None:
            oid = None
        else:
            oid = hashlib.sha256(held).hexdigest() if is_large(given["path"]) else git_hash(held)
        mode = "lfs" if is_large(given["path"]) else "regular"
        return {"path": given["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def _batch(self, name: str, given: dict[str, Any]) -> None:
        objects = []
        for each in given["objects"]:
            entry = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.hub.stored:
                entry["actions"] = {
                    "upload": {"href": f"{self.hub.storage}/storage/{each['oid']}"},
                    "verify": {"href": f"{self.hub.url}/datasets/{name}.git/info/lfs/objects/verify"},
                }
            objects.append(entry)
        self._json({"transfer": "basic", "objects": objects})

    def _upload(self, oid: str, body: bytes) -> None:
        self._wait_at("upload")
        if hashlib.sha256(body).hexdigest() != oid:
            return self._refuse(400, "")
        self.hub.stored[oid] = body
        return self._send(200, b"", {"ETag": f'"{oid}"'}, with_body=True)

    def _commit(self, name: str, dataset: DatasetRepository, given: list[dict[str, Any]]) -> None:
        made = dataset.commit(given, self.hub.stored)
        if made is None:
            return self._refuse(412, "")
        self._wait_at("commit")
        return self._json(
            {"commitUrl": f"{self.hub.url}/datasets/{name}/commit/{made.oid}", "commitOid": made.oid}
        )

    def _wait_at(self, step: str) -> None:
        if (event := self.hub.waits_at.get(step)) is not None:
            self.hub.reached.set()
            event.wait(60)

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"}, with_body=True)

    def _refuse_at(self, step: str) -> None:
        status, body = self.hub.refuse_at[step]
        self._send(status, body or b'{"error": "Not for you."}', {}, with_body=True)

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
