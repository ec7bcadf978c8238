"""What the hub of `server.py` keeps of datasets: repositories, commits, and its storage of large files.

As huggingface.co does, it takes Parquet files as large ones (LFS) and a card as part of the commit.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

FIRST_COMMIT = "f" * 40


@dataclass
class Commit:
    oid: str
    message: str
    files: dict[str, bytes]


@dataclass
class DatasetRepository:
    is_private: bool
    commits: list[Commit] = field(default_factory=lambda: [Commit(FIRST_COMMIT, "initial commit", {})])

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1].files

    def info(self, name: str) -> dict[str, Any]:
        siblings = []
        for path, content in sorted(self.files.items()):
            entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            if is_large(path):
                sha256 = hashlib.sha256(content).hexdigest()
                entry |= {
                    "blobId": "0" * 40,
                    "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 1},
                }
            siblings.append(entry)
        return {
            "id": name, "sha": self.commits[-1].oid, "private": self.is_private, "gated": False,
            "downloads": 0, "likes": 0, "tags": [], "siblings": siblings,
        }  # fmt: skip

    def commit(self, lines: list[dict[str, Any]], stored: dict[str, bytes]) -> Commit | None:
        """None where the parent that the client named is not the latest commit."""
        header = lines[0]["value"]
        if header.get("parentCommit", self.commits[-1].oid) != self.commits[-1].oid:
            return None
        files = dict(self.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = stored[value["oid"]]
            else:
                assert line["key"] == "deletedFile", line
                del files[value["path"]]
        number = hashlib.sha1(json.dumps([len(self.commits), header]).encode()).hexdigest()
        self.commits.append(Commit(number, header["summary"], files))
        return self.commits[-1]


def is_large(path: str) -> bool:
    return path.endswith(".parquet")


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
