"""The parts of the long proofs hold every long test once, and the record says what it is about."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from proofs.__main__ import main, run_all, state_of
from proofs.figures import FILE_VARIABLE, Figure, read_figures, report_figure
from proofs.parts import PARTS, WITHOUT_ENGINES, Kind, Part
from proofs.record import FILE, Pass, head, read_record, write_record
from proofs.run import Outcome, _outcome_of_tests, command_of

TESTS = Path(__file__).parent.parent
LONG = re.compile(r"mark\.(verification|vllm|gpu)\b")
MARKS = {"verification": WITHOUT_ENGINES, "vllm": "vllm", "gpu": "gpu"}
SOME_PASS = Pass(("3 passed", "coverage 95% (at least 94%)"), "0123456789", "2026-12-01", "2:05", "2 cores")


def holds(part: Part, file: str) -> bool:
    return any(file == path or file.startswith(f"{path}/") for path in part.tests)


def test_every_long_test_is_in_one_part() -> None:
    for file in TESTS.rglob("*.py"):
        name = file.relative_to(TESTS.parent).as_posix()
        if name.startswith("tests/proofs/"):
            continue
        for mark in set(LONG.findall(file.read_text(encoding="utf-8"))):
            parts = [
                part.name
                for part in PARTS
                if not part.benchmark and part.marks == MARKS[mark] and holds(part, name)
            ]
            assert len(parts) == 1, f"{name}, {mark}: {parts}; proofs/parts.py should have one part for it"


def test_every_path_exists_and_no_name_is_used_twice() -> None:
    for part in PARTS:
        for path in part.paths:
            assert (TESTS.parent / path).exists(), f"{part.name}: there is no {path}"
    assert len({part.name for part in PARTS}) == len(PARTS)


def test_the_record_is_what_the_runner_writes(tmp_path: Path) -> None:
    """Nobody has to know the format, and a new part has its line at once."""
    write_record(read_record(), tmp_path / "proofs.md")
    assert (tmp_path / "proofs.md").read_text() == FILE.read_text(), "run `python -m proofs write`"


def test_a_pass_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "proofs.md"
    write_record({"causes": SOME_PASS, "no longer there": SOME_PASS}, path)
    assert read_record(path) == {"causes": SOME_PASS}
    assert "| causes | " in path.read_text() and "not yet" in path.read_text()


def test_a_pass_of_another_commit_is_older_than_the_code() -> None:
    part = next(part for part in PARTS if part.name == "causes")
    assert state_of(part, None) == "not yet passed"
    assert state_of(part, replace(SOME_PASS, commit="0" * 10)) == "older than the code"
    unchanged = replace(part, tests=("LICENSE",), rests_on=())
    assert state_of(unchanged, replace(SOME_PASS, commit=head())) == "passed"


def test_a_figure_says_its_target_and_of_several_the_closest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert report_figure("coverage", 95.2, "%", at_least=94, error=0.7)
    assert not report_figure("coverage", 93.9, "%", at_least=94, error=0.7)
    assert report_figure("page", 41, "ms", at_most=150)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Figure: coverage 95.2% ± 0.7% (at least 94%)"
    assert [str(figure) for figure in read_figures(file)] == [
        "coverage 93.9% ± 0.7% (at least 94%), closest of 2, missed",
        "page 41 ms (at most 150 ms)",
    ]
    assert str(Figure("rows", 6704.2, "rows/s")) == "rows 6,704 rows/s"
    assert str(Figure("ratio", 0.168)) == "ratio 0.168"


PASSING = "== 3 passed, 1 skipped, 40 deselected in 12.31s =="
FAILING = (
    "FAILED tests/stats/test_x.py::test_it[floor, 2 reviewers] - assert 1 == 2\n"
    "== 1 failed, 2 passed in 3.00s =="
)
EMPTY = "======= 4 skipped, 40 deselected in 1.00s ======="


def test_what_pytest_printed_is_understood() -> None:
    passing = _outcome_of_tests(PASSING, 0, 12.3, ("page 1 ms",))
    assert passing.is_passed and passing.figures == ("3 passed, 1 skipped", "page 1 ms")
    failing = _outcome_of_tests(FAILING, 1, 3.0, ())
    assert not failing.is_passed and not failing.is_empty
    assert failing.alone == (
        ".venv/bin/python -m pytest -m '' 'tests/stats/test_x.py::test_it[floor, 2 reviewers]'",
    )
    assert _outcome_of_tests(EMPTY, 0, 1.0, ()).is_empty
    assert not _outcome_of_tests("Killed", 137, 1.0, ()).is_empty


def test_a_failing_part_stops_no_other_and_is_told_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The parts' processes are the edge: what they print is checked above."""
    outcomes = {
        "bounds": Outcome(1, False, False, (), ("pytest the failing one",)),
        "power": Outcome(61, True, False, ("2 passed", "share 1% (at least 2%), missed"), ()),
        "gpu": Outcome(1, False, True, (), ()),
    }
    kept: dict[str, Pass] = {}
    monkeypatch.setattr("proofs.__main__.run_part", lambda part: outcomes[part.name])
    monkeypatch.setattr("proofs.__main__.has_changed", lambda part, commit: False)
    monkeypatch.setattr("proofs.__main__.write_record", kept.update)
    assert run_all([part for part in PARTS if part.name in outcomes]) == 1
    told = capsys.readouterr().out
    assert "Failed: bounds" in told and "Missed a target: power" in told
    assert "what is missing): gpu" in told and "pytest the failing one" in told
    assert kept["power"].took == "1:01" and "bounds" not in kept.keys() - read_record().keys()


def test_the_list_names_every_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in Kind:
        monkeypatch.setattr("sys.argv", ["proofs", kind, "--list"])
        assert main() == 0
        told = capsys.readouterr().out
        assert all(f"{part.name}: {part.proves}" in told for part in PARTS if part.kind is kind)
    monkeypatch.setattr("sys.argv", ["proofs", "verify", "nothing-like-it"])
    with pytest.raises(SystemExit):
        main()
    assert "no part nothing-like-it" in capsys.readouterr().err


def test_a_benchmark_has_its_arguments() -> None:
    part = next(part for part in PARTS if part.name == "dashboard_10m")
    assert command_of(part)[1:] == ["-m", "bench.dashboard", "--ratings", "10000000"]
