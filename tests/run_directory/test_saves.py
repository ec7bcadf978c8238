"""A run directory that several machines go on with, one after the other."""

from pathlib import Path

import pytest

from run_directory.saver import FileToSave, RunSaver
from run_directory.saves import SavedFile, SavedRun
from run_directory.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path / 'store'}")


class Machine:
    """One machine's folder of a run, and the attempts it carries out."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.run = SavedRun(store, "7", folder)
        self.folder = folder

    def begin(self, attempt: int) -> RunSaver:
        self.saver = RunSaver(self.run, attempt, self.run.restore(attempt))
        return self.saver

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def checkpoint(self, step: int, *, whole: bool = True) -> None:
        self.write(f"checkpoints/checkpoint-{step}/state", f"state of {step}")
        if whole:
            self.write(f"checkpoints/checkpoint-{step}/complete", "")

    def files(self) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }


@pytest.fixture
def first(store: Store, tmp_path: Path) -> Machine:
    return Machine(store, tmp_path / "first" / "7")


@pytest.fixture
def second(store: Store, tmp_path: Path) -> Machine:
    return Machine(store, tmp_path / "second" / "7")


def test_another_machine_goes_on_from_the_newest_whole_checkpoint(first: Machine, second: Machine) -> None:
    first.begin(1)
    first.write("spec.json", "{}")
    first.write("events.jsonl", "one\ntwo\nthr")
    first.write("lock", "123")
    first.write("inputs/base", "a link, really")
    first.checkpoint(3)
    first.checkpoint(6)
    first.write("checkpoints/best/weights", "best of 6")
    first.checkpoint(9, whole=False)
    first.saver.save()

    second.begin(2)

    assert second.files() == {
        "spec.json": "{}",
        "events.jsonl": "one\ntwo\n",
        "checkpoints/checkpoint-6/state": "state of 6",
        "checkpoints/checkpoint-6/complete": "",
        "checkpoints/best/weights": "best of 6",
    }


def test_what_a_program_takes_away_when_it_ends_breaks_no_save(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first.begin(1)
    first.write("reserve", "room for the last words")
    for name in ("leaving.json", "spec.json"):
        first.write(name, "{}")
    saved = RunSaver._saved

    def meanwhile(saver: RunSaver, chosen: FileToSave, before: SavedFile | None) -> SavedFile:
        for name in ("reserve", "leaving.json"):
            (first.folder / name).unlink(missing_ok=True)
        return saved(saver, chosen, before)

    monkeypatch.setattr(RunSaver, "_saved", meanwhile)
    first.saver.save()

    second.begin(2)

    assert second.files() == {"spec.json": "{}"}


def test_files_that_grow_are_saved_piece_by_piece_and_come_back_whole(
    first: Machine, second: Machine, store: Store
) -> None:
    saver = first.begin(1)
    first.write("events.jsonl", "one\n")
    saver.save()
    first.write("events.jsonl", "one\ntwo\n")
    saver.save()
    first.write("events.jsonl", "one\ntwo\nthree\n")
    saver.save()
    objects = store.names("runs/7/objects")
    assert len(objects) == 3, "each piece once, and nothing again"

    second.begin(2)
    assert second.files() == {"events.jsonl": "one\ntwo\nthree\n"}

    # What was cut back after a kill is no piece any more.
    second.write("events.jsonl", "one\n2\n")
    second.saver.save()
    third = Machine(store, first.folder.parent / "third" / "7")
    third.begin(3)
    assert third.files() == {"events.jsonl": "one\n2\n"}


def test_the_machine_that_ran_the_newest_attempt_keeps_what_it_has_beyond_the_last_save(
    first: Machine,
) -> None:
    first.begin(1)
    first.checkpoint(3)
    first.saver.save()
    first.checkpoint(6)

    first.begin(2)

    assert "checkpoints/checkpoint-6/complete" in first.files()


def test_a_machine_that_was_overtaken_gives_up_what_it_had(first: Machine, second: Machine) -> None:
    first.begin(1)
    first.write("outputs.jsonl", "a\n")
    first.checkpoint(3)
    first.saver.save()
    first.checkpoint(6)
    first.write("outputs.jsonl", "a\nb by the first\n")
    second.begin(2)
    second.checkpoint(4)
    second.write("outputs.jsonl", "a\nb by the second\n")
    second.saver.save()

    first.begin(3)

    assert first.files() == {
        "outputs.jsonl": "a\nb by the second\n",
        "checkpoints/checkpoint-4/state": "state of 4",
        "checkpoints/checkpoint-4/complete": "",
    }


def test_an_attempt_that_was_overtaken_disturbs_nobody(first: Machine, second: Machine, store: Store) -> None:
    stale = first.begin(1)
    first.checkpoint(3)
    stale.save()
    fresh = second.begin(2)
    second.checkpoint(6)
    fresh.save()

    first.checkpoint(5)
    stale.save()
    fresh.remove_dropped()

    third = Machine(store, first.folder.parent / "third" / "7")
    third.begin(3)
    assert "checkpoints/checkpoint-6/state" in third.files()
    assert "checkpoints/checkpoint-5/state" not in third.files()


def test_what_the_newest_save_names_no_more_is_removed(first: Machine, second: Machine, store: Store) -> None:
    saver = first.begin(1)
    for step in (3, 6, 9):
        first.checkpoint(step)
        saver.save()
        saver.remove_dropped()

    assert len(store.names("runs/7/objects")) == 2
    second.begin(2)
    assert [name for name in second.files() if name.endswith("state")] == ["checkpoints/checkpoint-9/state"]


def test_a_save_that_is_cut_off_leaves_the_one_before_it(
    first: Machine, second: Machine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = first.begin(1)
    first.checkpoint(3)
    saver.save()
    first.checkpoint(6)
    monkeypatch.setattr(SavedRun, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        saver.save()

    second.begin(2)

    assert "checkpoints/checkpoint-3/state" in second.files()
    assert not (first.folder / ".saving").exists()


def test_a_finished_training_leaves_its_checkpoints_out(first: Machine, second: Machine) -> None:
    saver = first.begin(1)
    first.checkpoint(3)
    saver.save()
    first.write("adapter/weights", "trained")
    first.write("result.json", "{}")
    assert saver.has_progress()
    saver.save(with_checkpoints=False)
    assert not saver.has_progress()

    second.begin(2)
    assert second.files() == {"adapter/weights": "trained", "result.json": "{}"}
