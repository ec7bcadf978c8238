"""The dossier's chain: what is changed, moved, taken out or made anew is found, by Python alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from evalapp import dossier
from evalapp.dossier import canonical, chained, check, digest, digest_of_reviews, main

Bodies = list[tuple[str, dict[str, Any]]]

REVIEW_BODIES: list[dict[str, Any]] = [
    {
        "review": n,
        "revision": 1,
        "counts": True,
        "item": n,
        "reviewer": 1,
        "scores": {"tone": 4},
        "sha256": "ab",
    }
    for n in (1, 2)
]
CONDITION = {"kind": "floor", "threshold": 4.5}
GATE = {"name": "Release", "version": 1, "alpha": 0.05, "conditions": [CONDITION]}
DATASET = {"role": "tested", "content_hash": "d" * 64}
CANDIDATE = {"role": "candidate", "id": 5, "content_hash": "c" * 64}


def bodies(
    *,
    campaign_gate: dict[str, Any] | None = None,
    reviews: list[dict[str, Any]] = REVIEW_BODIES,
    decided: dict[str, Any] | None = None,
    **changes: Any,
) -> Bodies:
    """A small dossier's contents; ``campaign_gate``, ``decided`` and ``changes`` replace the gate's,
    decision's and evaluation's.
    """
    evaluation = {
        "gate": digest(GATE),
        "campaign": 3,
        "applied_at": "2026-01-05T08:00:00+00:00",
        "datasets": [DATASET],
        "candidates": [CANDIDATE],
        "level": 0.05,
        "planned": 2,
        "share": 1.0,
        "candidate_reviews": 2,
        "items": 2,
        "reviewers": 1,
        "reviews": 2,
        "is_exploratory": False,
        "is_simulated": False,
        "reviews_digest": digest_of_reviews(canonical(body) for body in reviews),
        "results": [{"condition": CONDITION, "state": "met"}],
        "verdict": "release",
        **changes,
    }
    hashed = digest(evaluation)
    of_gate = {
        "campaign": 3,
        "applied_at": "2026-01-05T08:00:00+00:00",
        "is_exploratory": False,
        "champion": None,
    }
    decision = {
        "campaign": 3,
        "candidate": 5,
        "verdict": "release",
        "note": "Ünïcode ✓",
        "evaluation": hashed,
    }
    return [
        ("gate", {"gate": GATE, "hash": digest(GATE), **of_gate, **(campaign_gate or {})}),
        ("dataset", DATASET),
        *(("candidate", each) for each in evaluation["candidates"]),
        *(("review", body) for body in reviews),
        ("evaluation", {"hash": hashed, "evaluation": evaluation}),
        ("decision", {**decision, **(decided or {})}),
    ]


def results(*states: str) -> list[dict[str, Any]]:
    return [{"condition": CONDITION, "state": state} for state in states]


def lines_of(contents: Bodies) -> list[str]:
    return [canonical(record) for record in chained(contents)]


LINES = lines_of(bodies())


def test_a_whole_one_holds_and_says_what_it_tells() -> None:
    found = check(LINES)
    assert (found.problem, found.records, found.reviews) == ("", 8, 2)
    assert found.seal == json.loads(LINES[-1])["hash"]
    assert found.told == ["gate Release v1", "verdict release on 2 review revisions", "decision release"]


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
        (lambda found: found.__setitem__(1, ("dataset", {**DATASET, "role": "x"})), "uses other data"),
        (lambda found: found.__setitem__(2, ("candidate", {})), "other candidates or adapters"),
        (lambda found: found.__setitem__(3, ("review", {"review": 7})), "uses other reviews"),
        (lambda found: found.pop(4), "uses other reviews"),
        (
            lambda found: found[5][1]["evaluation"].update(verdict="not_yet"),
            "(evaluation): the evaluation does not",
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


def test_what_the_gate_did_not_pass_cannot_be_released() -> None:
    early = bodies(verdict="not_yet", results=results("undecided"), planned=4, share=0.5)
    assert "releases what the gate did not pass" in check(lines_of(early)).problem


CHAMPION = {"role": "champion", "id": 6}


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (bodies(decided={"candidate": 99}), "Record 7 (decision): it is about another candidate"),
        (bodies(decided={"campaign": 4}), "Record 7 (decision): it belongs to another campaign"),
        (bodies(decided={"verdict": "banana"}), "Record 7 (decision): there is no verdict “banana”"),
        (bodies(decided={"verdict": ["release"]}), "Record 7 (decision): there is no verdict"),
        (bodies(is_exploratory=True), "(decision): it signs an evaluation that is exploratory"),
        (bodies(is_simulated=True), "(decision): it signs an evaluation that is exploratory"),
        (bodies(verdict="banana"), "Record 6 (evaluation): there is no verdict “banana”"),
        (bodies(results=results("not_met")), "from its results follows “do_not_release”"),
        (bodies(results=results("undecided")), "from its results follows “do_not_release”"),
        (bodies(results=results("undecided"), planned=4, share=0.5), "from its results follows “not_yet”"),
        (bodies(results=results("fine")), "has no results of the conditions"),
        (bodies(results=results("met", "met")), "not those of the gate's conditions"),
        (bodies(results=[]), "not those of the gate's conditions"),
        (bodies(share=0.25), "its share of the planned reviews"),
        (bodies(level=0.5), "more than its gate's whole budget"),
        (bodies(campaign=4, decided={"campaign": 4}), "(evaluation): its gate names another campaign"),
        (bodies(campaign_gate={"applied_at": "2026-02-01"}), "its gate names another time"),
        (bodies(campaign_gate={"is_exploratory": True}), "its gate was applied after the first review"),
        (
            bodies(candidates=[CANDIDATE, CHAMPION], campaign_gate={"champion": 7}),
            "another champion than its gate",
        ),
        (bodies(candidates=[CANDIDATE, CANDIDATE]), "it does not have exactly one candidate"),
        (bodies(reviews=REVIEW_BODIES[:1]), "it counts 2 reviews, but the records before it have 1"),
        (bodies(reviewers=99), "it counts 99 reviewers, but the records before it have 1"),
        (bodies(candidate_reviews=3, planned=3), "more reviews of its candidate than there are"),
        (
            bodies(reviews=[REVIEW_BODIES[0]] * 2),
            "Record 5 (review): revision 1 of review 1 is given twice",
        ),
        (
            bodies(reviews=[REVIEW_BODIES[0], {**REVIEW_BODIES[0], "revision": 2}]),
            "Record 5 (review): two revisions of review 1 count",
        ),
    ],
)
def test_a_chain_made_anew_is_found_where_two_records_say_otherwise(contents: Bodies, problem: str) -> None:
    assert problem in check(lines_of(contents)).problem


def test_what_both_say_alike_holds() -> None:
    earlier = {**REVIEW_BODIES[0], "revision": 2, "counts": False}
    alike = [
        bodies(candidates=[CANDIDATE, CHAMPION], campaign_gate={"champion": 6}),
        bodies(reviews=[*REVIEW_BODIES, earlier]),
        bodies(results=results("not_met"), verdict="do_not_release", decided={"verdict": "not_yet"}),
        bodies(decided={"verdict": "do_not_release"}),
    ]
    assert [check(lines_of(contents)).problem for contents in alike] == [""] * 4


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000])
def test_what_is_no_number_of_json_is_found_at_its_record(number: str) -> None:
    changed = LINES[0].replace("4.5", number)
    assert check([changed, *LINES[1:]]).problem.startswith("Record 1")


@pytest.mark.parametrize("gate", ["x", None, [], 7, {"alpha": 0.05}])
def test_a_gate_of_another_form_is_named(gate: object) -> None:
    contents = bodies()
    contents[0][1].update(gate=gate, hash=digest(gate))
    assert check(lines_of(contents)).problem.startswith(("Record 1 (gate)", "Record 6 (evaluation)"))


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [7], [[]], [{}], [None], True, -1e308])
def test_content_of_any_other_form_is_broken_and_no_crash(odd: object) -> None:
    for position, (_, body) in enumerate(bodies()):
        for name in body:
            contents = deepcopy(bodies())
            contents[position][1][name] = odd
            check(lines_of(contents))
    for name in bodies()[5][1]["evaluation"]:
        contents = deepcopy(bodies())
        contents[5][1]["evaluation"][name] = odd
        contents[5][1]["hash"] = contents[6][1]["evaluation"] = digest(contents[5][1]["evaluation"])
        check(lines_of(contents))
    for name in REVIEW_BODIES[0]:
        check(lines_of(bodies(reviews=[REVIEW_BODIES[0], {**REVIEW_BODIES[1], name: odd}])))


def test_what_a_file_says_can_always_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "decision.jsonl"
    record = {"number": 1, "kind": "\ud800\x1b[2J\nThe chain is valid", "previous": "0" * 64, "body": {}}
    file.write_text(json.dumps({**record, "hash": digest(record)}), encoding="utf-8")
    assert main([str(file)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("BROKEN. Record 1 (��[2J�The chain is valid)")
    assert len(shown.splitlines()) == 1


def test_a_chain_made_anew_throughout_is_found_by_the_seal() -> None:
    forged = lines_of(bodies(evaluated_at="2020-01-01"))
    assert check(forged).problem == ""
    assert "not the seal that you gave" in check(forged, seal=check(LINES).seal).problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "ends before its seal"),
        (["nonsense"], "not JSON"),
        (["[]"], "not an object"),
        (["{}"], "its fields are not"),
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

    whole = run(str(file), "--seal", check(LINES).seal)
    assert (whole.returncode, "The chain is valid" in whole.stdout) == (0, True)
    file.write_text("\n".join(LINES).replace("Ünïcode", "Other"), encoding="utf-8")
    broken = run(str(file))
    assert (broken.returncode, broken.stdout.startswith("BROKEN. Record 7 (decision)")) == (1, True)
    assert run(str(tmp_path / "nowhere")).returncode == 2


def test_a_file_that_is_no_text_is_broken_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    assert main([str(file)]) == 1
