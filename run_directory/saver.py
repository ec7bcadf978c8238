"""Saves a run directory to the store while a program works in it."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from run_directory.disk_space import RESERVE_FILE
from run_directory.files import sha256_of
from run_directory.protocol import (
    ADAPTER_FOLDER,
    BEST_FOLDER,
    CHECKPOINT_PREFIX,
    CHECKPOINTS_FOLDER,
    COMPLETE_FILE,
    LOCK_FILE,
    MODEL_FOLDER,
    OUTPUTS_FILE,
)
from run_directory.saves import Save, SavedFile, SavedPart, SavedRun, grows, matching_parts
from run_directory.store import StoreError

_LINKED = ".saving"
_FOR_THE_PROGRAM = frozenset({LOCK_FILE, RESERVE_FILE})
_MOST_PARTS = 64
_LOOKS = 5


class FileToSave(NamedTuple):
    """A file to save: its name in the run directory, the path to read, and the number of bytes."""

    name: str
    path: Path
    size: int


class RunSaver:
    """Saves one attempt's run directory while the program works, at each call of ``save``."""

    def __init__(self, run: SavedRun, attempt: int, base: Save | None) -> None:
        self._run = run
        self._folder = run.folder
        self._attempt = attempt
        self._latest = base
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._progress: tuple[object, ...] | None = None
        self._dropped: set[str] = set()

    def has_progress(self) -> bool:
        """Whether there is a checkpoint, an output or a result folder that is not saved yet."""
        return self._progress_now() != self._progress

    def save(self, *, with_checkpoints: bool = True) -> None:
        """Save the current state; if killed meanwhile, the previous save remains."""
        progress = self._progress_now()
        before = {file.name: file for file in self._latest.files} if self._latest else {}
        with _snapshot(self._folder, with_checkpoints=with_checkpoints) as chosen:
            files = tuple(self._all_saved(chosen, before))
        save = Save(attempt=self._attempt, files=files)
        if save != self._latest:
            self._run.write(save)
        if self._latest is not None:
            self._dropped |= self._latest.objects - save.objects
        self._latest, self._progress = save, progress

    def remove_dropped(self) -> None:
        """Remove objects that the newest save no longer refers to. Call only while certainly holding the
        job's lease.
        """
        dropped, self._dropped = self._dropped, set()
        self._run.remove(frozenset(dropped), manifests_before=self._attempt)

    @property
    def has_dropped(self) -> bool:
        return bool(self._dropped)

    def _progress_now(self) -> tuple[object, ...]:
        outputs = self._folder / OUTPUTS_FILE
        newest = newest_checkpoint(self._folder)
        return (
            newest.name if newest else None,
            outputs.stat().st_size if outputs.exists() else None,
            (self._folder / ADAPTER_FOLDER).exists() or (self._folder / MODEL_FOLDER).exists(),
        )

    def _all_saved(self, chosen: list[FileToSave], before: Mapping[str, SavedFile]) -> Iterator[SavedFile]:
        for each in chosen:
            # A program that ends meanwhile deletes its private files.
            with suppress(FileNotFoundError):
                yield self._saved(each, before.get(each.name))

    def _saved(self, chosen: FileToSave, before: SavedFile | None) -> SavedFile:
        stat = chosen.path.stat()
        seen = (stat.st_ino, stat.st_mtime_ns, chosen.size)
        if before is not None and self._seen.get(chosen.name) == seen:
            return before
        present = matching_parts(chosen.path, before.parts) if before else 0
        is_prefix = before is not None and present == len(before.parts) and chosen.size >= before.size
        if before is not None and is_prefix and chosen.size == before.size:
            saved = before
        elif before is not None and is_prefix and grows(chosen.name) and present < _MOST_PARTS:
            rest = self._stored(chosen, start=before.size)
            saved = SavedFile(name=chosen.name, parts=(*before.parts, rest))
        else:
            saved = SavedFile(name=chosen.name, parts=(self._stored(chosen, start=0),))
        self._seen[chosen.name] = seen
        return saved

    def _stored(self, chosen: FileToSave, *, start: int) -> SavedPart:
        name, place = self._run.new_object(self._attempt)
        if not grows(chosen.name):
            self._run.store.put(chosen.path, place)
            return SavedPart(object=name, size=chosen.size, sha256=sha256_of(chosen.path))
        with chosen.path.open("rb") as file:
            file.seek(start)
            content = file.read(chosen.size - start)
        self._run.store.write(place, content)
        return SavedPart(object=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def newest_checkpoint(run: Path) -> Path | None:
    """The newest complete checkpoint. Changes nothing, unlike `training.checkpoints.latest_checkpoint`."""
    found = [
        path
        for path in (run / CHECKPOINTS_FOLDER).glob(f"{CHECKPOINT_PREFIX}*")
        if path.name.removeprefix(CHECKPOINT_PREFIX).isdecimal() and (path / COMPLETE_FILE).is_file()
    ]
    return max(found, key=lambda path: int(path.name.removeprefix(CHECKPOINT_PREFIX)), default=None)


@contextmanager
def _snapshot(folder: Path, *, with_checkpoints: bool) -> Iterator[list[FileToSave]]:
    """The files to save at one moment: folders as hard links, growing files by their length."""
    links = folder / _LINKED
    try:
        yield sorted([*_linked(folder, links, with_checkpoints=with_checkpoints), *_plain(folder)])
    finally:
        shutil.rmtree(links, ignore_errors=True)


def _linked(folder: Path, links: Path, *, with_checkpoints: bool) -> list[FileToSave]:
    for _ in range(_LOOKS):
        shutil.rmtree(links, ignore_errors=True)
        try:
            return list(_link_all(folder, links, with_checkpoints=with_checkpoints))
        except FileNotFoundError:
            # The program replaced a checkpoint meanwhile.
            continue
    raise StoreError(f"The checkpoints in {folder} change faster than they can be saved.")


def _link_all(folder: Path, links: Path, *, with_checkpoints: bool) -> Iterator[FileToSave]:
    chosen = [folder / name for name in (ADAPTER_FOLDER, MODEL_FOLDER)]
    if with_checkpoints:
        newest = newest_checkpoint(folder)
        chosen += [newest] if newest else []
        # Read after the checkpoint, so that it is at least as recent as the checkpoint expects.
        chosen.append(folder / CHECKPOINTS_FOLDER / BEST_FOLDER)
    for each in chosen:
        if not each.is_dir():
            continue
        number = each.stat().st_ino
        for path in sorted(path for path in each.rglob("*") if path.is_file()):
            name = path.relative_to(folder)
            link = links / name
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
            yield FileToSave(name.as_posix(), link, link.stat().st_size)
        if each.stat().st_ino != number:
            raise FileNotFoundError(each)


def _plain(folder: Path) -> Iterator[FileToSave]:
    for path in folder.iterdir():
        if path.is_symlink() or path.name.startswith(".") or path.name in _FOR_THE_PROGRAM:
            continue
        with suppress(FileNotFoundError):
            stat = path.stat()
            if S_ISREG(stat.st_mode):
                size = stat.st_size
                yield FileToSave(
                    path.name, path, _whole_lines(path, size) if path.suffix == ".jsonl" else size
                )


def _whole_lines(path: Path, size: int) -> int:
    """Number of bytes up to and including the last line feed."""
    with path.open("rb") as file:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
