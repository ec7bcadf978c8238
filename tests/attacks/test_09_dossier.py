"""A dossier without its seal proves nothing, and says so; scores and the states of the conditions agree."""

from pathlib import Path
from typing import Any

import pytest

from evalapp.dossier import BROKEN, UNSEALED, VERIFIED, canonical, check, digest, digest_of_reviews, main
from tests.gates.test_dossier import Bodies, bodies, lines_of

LABELS = {"candidate": "tuned", "champion": "base"}
ABOUT = [{"role": role, "id": pk, "label": LABELS[role]} for role, pk in (("candidate", 5), ("champion", 6))]


def _dossier(condition: dict[str, Any], state: str, scores: dict[str, list[int]]) -> Bodies:
    """Made anew throughout, so that every hash in it is right."""
    gate = {"name": "Release", "version": 1, "alpha": 0.05, "conditions": [condition]}
    reviews = [
        {
            "review": f"{label}{item}",
            "revision": 1,
            "counts": True,
            "item": item,
            "reviewer": 1,
            "candidate": label,
            "scores": {"tone": score},
            "sha256": "ab",
        }
        for label, given in scores.items()
        for item, score in enumerate(given)
    ]
    verdict = {"met": "release", "not_met": "do_not_release"}[state]
    return _bodies(gate, reviews, condition, state, verdict)


def _bodies(
    gate: dict[str, Any], reviews: list[dict[str, Any]], condition: dict[str, Any], state: str, verdict: str
) -> Bodies:
    own = [each for each in reviews if each["candidate"] == LABELS["candidate"]]
    changes: dict[str, Any] = {
        "gate": digest(gate),
        "candidates": ABOUT,
        "items": len({each["item"] for each in reviews}),
        "planned": len(own),
        "candidate_reviews": len(own),
        "results": [{"condition": condition, "state": state}],
        "verdict": verdict,
        "reviews_digest": digest_of_reviews(canonical(each) for each in reviews),
    }
    contents = bodies(
        campaign_gate={"gate": gate, "hash": digest(gate), "champion": 6},
        decided={"verdict": verdict},
        reviews=reviews,
        **changes,
    )
    evaluation = contents[-2][1]
    evaluation["evaluation"]["reviews"] = len(reviews)
    evaluation["hash"] = contents[-1][1]["evaluation"] = digest(evaluation["evaluation"])
    return contents


def _condition(kind: str, threshold: float, at_most: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "criterion": "tone", "name": "Tone", "threshold": threshold, "at_most": at_most}


SCORES = {"tuned": [4, 4, 2], "base": [3, 3, 3]}


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (_condition("floor", 3.0), "met"),
        (_condition("floor", 4.5), "not_met"),
        (_condition("low_share", 0.5, 2), "met"),
        (_condition("low_share", 0.1, 2), "not_met"),
        (_condition("superiority", 0.1), "met"),
        (_condition("superiority", 1.0), "not_met"),
        (_condition("non_inferiority", 0.2), "met"),
        (_condition("non_inferiority", -0.5), "not_met"),
        (_condition("items", 3), "met"),
        (_condition("items", 4), "not_met"),
        (_condition("reviewers", 1), "met"),
        (_condition("reviewers", 2), "not_met"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value['kind']} {value['threshold']}",
)
def test_a_state_that_the_scores_do_not_allow_is_found(condition: dict[str, Any], allowed: str) -> None:
    other = {"met": "not_met", "not_met": "met"}[allowed]
    assert check(lines_of(_dossier(condition, allowed, SCORES))).problem == ""
    problem = check(lines_of(_dossier(condition, other, SCORES))).problem
    assert f"condition 1 is “{other}”, and the scores before it come to" in problem


def test_without_its_seal_a_file_is_told_to_be_unsealed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    true, forged = bodies(), bodies(evaluated_at="2020-01-01")
    seal = check(lines_of(true)).seal
    file = tmp_path / "decision.jsonl"

    def run(contents: Bodies, *arguments: str) -> tuple[int, str]:
        file.write_text("\n".join(lines_of(contents)) + "\n", encoding="utf-8")
        return main([str(file), *arguments]), capsys.readouterr().out

    for contents in (true, forged):
        code, words = run(contents)
        assert code == UNSEALED
        assert words.startswith("UNSEALED: anybody with this file could have rewritten it.")
        assert "The chain is valid" not in words
    assert run(true, "--seal", seal)[0] == VERIFIED
    assert run(forged, "--seal", seal)[0] == BROKEN
    assert len({VERIFIED, BROKEN, UNSEALED}) == 3
