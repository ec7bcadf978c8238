"""The dossier's chain: what is changed, moved, taken out or made anew is found, by Python alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalapp import dossier
from evalapp.dossier import canonical, chained, check, digest, digest_of_reviews, main

Bodies = list[tuple[str, dict[str, Any]]]

REVIEW_BODIES = [{"review": number, "scores": {"tone": 4}, "sha256": "ab"} for number in (1, 2)]
GATE = {"name": "Release", "version": 1, "conditions": [{"kind": "floor", "threshold": 4.5}]}
DATASET = {"role": "tested", "content_hash": "d" * 64}
CANDIDATE = {"role": "candidate", "content_hash": "c" * 64}


def bodies(**changes: Any) -> Bodies:
    """A small dossier's contents; ``changes`` replace the evaluation's."""
    evaluation = {
        "gate": digest(GATE),
        "datasets": [DATASET],
        "candidates": [CANDIDATE],
        "reviews_digest": digest_of_reviews(canonical(body) for body in REVIEW_BODIES),
        "verdict": "ship",
        **changes,
    }
    hashed = digest(evaluation)
    return [
        ("gate", {"gate": GATE, "hash": digest(GATE)}),
        ("dataset", DATASET),
        ("candidate", CANDIDATE),
        *(("review", body) for body in REVIEW_BODIES),
        ("evaluation", {"hash": hashed, "evaluation": evaluation}),
        ("decision", {"verdict": "ship", "note": "Ünïcode ✓", "evaluation": hashed}),
    ]


def lines_of(contents: Bodies) -> list[str]:
    return [canonical(record) for record in chained(contents)]


LINES = lines_of(bodies())


def test_a_whole_one_holds_and_says_what_it_tells() -> None:
    found = check(LINES)
    assert (found.problem, found.records, found.reviews) == ("", 8, 2)
    assert found.seal == json.loads(LINES[-1])["hash"]
    assert found.told == ["gate Release v1", "verdict ship on 2 review revisions", "decision ship"]


@pytest.mark.parametrize("position", range(len(LINES)))
@pytest.mark.parametrize("field", ["body", "previous", "hash", "number", "kind"])
def test_a_changed_field_of_any_record_is_found_at_that_record(position: int, field: str) -> None:
    record = json.loads(LINES[position])
    other: dict[str, Any] = {
        "body": {**record["body"], "verdict": "not_yet", "extra": 1},
        "previous": "1" * 64,
        "hash": "1" * 64,
        "number": 99,
        "kind": "review" if record["kind"] != "review" else "decision",
    }
    changed = [*LINES[:position], canonical({**record, field: other[field]}), *LINES[position + 1 :]]
    assert check(changed).problem.startswith(f"Record {position + 1} ")


@pytest.mark.parametrize("position", range(len(LINES)))
def test_a_record_taken_out_or_doubled_is_found(position: int) -> None:
    less = [*LINES[:position], *LINES[position + 1 :]]
    assert check(less).problem.startswith(f"Record {position + 1}")
    doubled = [*LINES[: position + 1], *LINES[position:]]
    assert check(doubled).problem.startswith(f"Record {position + 2}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda found: found[0][1].update(gate={**GATE, "name": "Softer"}),
            "Record 1 (gate): the gate's conditions",
        ),
        (lambda found: found.__setitem__(1, ("dataset", {**DATASET, "role": "x"})), "rests on other data"),
        (lambda found: found.__setitem__(2, ("candidate", {})), "other candidates or adapters"),
        (lambda found: found.__setitem__(3, ("review", {"review": 7})), "rests on other reviews"),
        (lambda found: found.pop(4), "rests on other reviews"),
        (
            lambda found: found[5][1]["evaluation"].update(verdict="not_yet"),
            "(evaluation): the evaluation is not",
        ),
        (lambda found: found[6][1].update(evaluation="0" * 64), "(decision): it signs another evaluation"),
        (lambda found: found.pop(5), "(decision): it signs another evaluation"),
        (lambda found: found.pop(6), "(seal): the dossier has no decision"),
        (lambda found: found.insert(1, found[0]), "(gate): there is a second gate"),
        (lambda found: found.insert(0, found.pop(1)), "(gate): a record of kind"),
    ],
)
def test_a_chain_made_anew_is_found_by_what_its_records_say_of_each_other(
    change: Callable[[Bodies], object], problem: str
) -> None:
    contents = bodies()
    change(contents)
    assert problem in check(lines_of(contents)).problem


def test_what_the_gate_did_not_pass_cannot_be_shipped() -> None:
    assert "ships what the gate did not pass" in check(lines_of(bodies(verdict="not_yet"))).problem


def test_a_chain_made_anew_throughout_is_found_by_the_seal() -> None:
    forged = lines_of(bodies(verdict="ship", reviewers=99))
    assert check(forged).problem == ""
    assert "not the seal that you gave" in check(forged, seal=check(LINES).seal).problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "ends before its seal"),
        (["nonsense"], "not JSON"),
        (["[]"], "no object"),
        (["{}"], "not the fields"),
        (['{"number":1,"number":1}'], "names a field twice"),
        (["[" * 100_000], "not JSON"),
        ([*LINES, LINES[-1]], "Record 9"),
    ],
)
def test_what_is_no_dossier_is_told(lines: list[str], problem: str) -> None:
    assert problem in check(lines).problem


def test_the_program_needs_neither_django_nor_this_repository(tmp_path: Path) -> None:
    program = tmp_path / "dossier.py"
    program.write_bytes(Path(dossier.__file__).read_bytes())
    file = tmp_path / "decision.jsonl"
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(program), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    whole = run(str(file))
    assert (whole.returncode, "The chain holds" in whole.stdout) == (0, True)
    file.write_text("\n".join(LINES).replace("Ünïcode", "Other"), encoding="utf-8")
    broken = run(str(file))
    assert (broken.returncode, broken.stdout.startswith("BROKEN. Record 7 (decision)")) == (1, True)
    assert run(str(tmp_path / "nowhere")).returncode == 2


def test_a_file_that_is_no_text_is_broken_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    assert main([str(file)]) == 1
