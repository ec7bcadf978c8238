"""A campaign as Label Studio's tasks, and back."""

import json
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.ratings.label_studio_tasks import json_of_tasks, labeling_config, tasks_of
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Correction, Review, SpanAnswer
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.services import create_rubric, save_version
from tests.factories import GOOD, answers, corrected, make_campaign, review_all, tagged
from tests.ratings.files import carried_out, imported, json_lines, received
from tests.reviews.checking import make_checked, review_on


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    said = {
        "formal": corrected(
            tagged(answers(tone=1, clarity="na"), tone=["too-formal"]), "Say it “plainly” 🙂.", "Stiff."
        ),
        "plain": answers(accuracy=2, error=1),
    }
    review_all(campaign, reviewer, said)
    review_all(campaign, other_reviewer, {"formal": answers(tone=3)})
    return campaign


def test_a_task_holds_an_answer_and_its_reviews_under_pseudonyms(campaign: Campaign) -> None:
    tasks = list(tasks_of(campaign))

    assert len(tasks) == 4
    data = tasks[0]["data"]
    assert (data["item"], data["candidate"], data["answer"]) == ("1", "formal", GOOD.replace("{n}", "1"))
    (first, second) = tasks[0]["annotations"]
    said = {result["from_name"]: (result["type"], result["value"]) for result in first["result"]}
    assert said["accuracy"] == ("rating", {"rating": 4})
    assert said["clarity-na"] == ("choices", {"choices": ["N/A"]})
    assert said["material-factual-error"] == ("choices", {"choices": ["no"]})
    assert said["correction"] == ("textarea", {"text": ["Say it “plainly” 🙂."]})
    assert said["comment"] == ("textarea", {"text": ["Stiff."]})
    assert said["tone-reasons"][0] == "choices"
    metas = {result["meta"]["reviewer"] for each in (first, second) for result in each["result"]}
    assert metas == {"Reviewer 1", "Reviewer 2"}
    text = "".join(json_of_tasks(campaign))
    assert json.loads(text) == tasks
    assert not any(name in text for name in ("reviewer@cast", "other.reviewer", "Other Reviewer"))


def test_gold_and_calibration_items_are_no_tasks(db: None) -> None:
    campaign, (person, _) = make_checked(rows=20, gold=2, calibration_items=2)
    review_on(campaign, person)
    assert len(list(tasks_of(campaign))) == campaign.items_total
    assert campaign.items.count() > campaign.items_total


def test_the_interface_has_a_control_for_every_result(campaign: Campaign) -> None:
    config = ET.fromstring(labeling_config(campaign.rubric_version))

    controls = {element.get("name"): element for element in config.iter() if element.get("toName")}
    used = {
        (result["from_name"], result["to_name"], result["type"])
        for task in tasks_of(campaign)
        for annotation in task["annotations"]
        for result in annotation["result"]
    }
    objects = {element.get("name"): element.get("value") for element in config.iter("Text")}
    data = next(iter(tasks_of(campaign)))["data"]
    assert used
    for name, target, kind in used:
        assert controls[name].get("toName") == target
        assert controls[name].tag.lower() == kind
        assert target in objects
    assert all(value is not None and value.removeprefix("$") in data for value in objects.values())
    assert controls["accuracy"].get("maxRating") == "5"


def test_every_kind_of_criterion_has_its_control(project: Project) -> None:
    rubric = create_rubric(project=project, name="Kinds", by=None)
    options = (Option('a "b" <c>'), Option("d & e"))
    version = save_version(
        rubric=rubric,
        by=None,
        criteria=[
            CriterionDraft("Percent", minimum=0, maximum=100, low_threshold=None),
            CriterionDraft(
                "Answer", kind="category", minimum=1, maximum=2, low_threshold=None, options=options
            ),
            CriterionDraft("Why", kind="text", minimum=0, maximum=1, low_threshold=None),
        ],
    )

    config = ET.fromstring(labeling_config(version))

    number = config.find("Number")
    assert number is not None
    assert (number.get("min"), number.get("max")) == ("0", "100")
    choices = config.find("Choices")
    assert choices is not None
    assert choices.get("name") == "answer-criterion"
    assert [choice.get("value") for choice in choices] == ['a "b" <c>', "d & e"]


def test_marks_go_out_in_utf_16_and_come_back_in_code_points(
    project: Project, manager: User, other_project: Project, stranger: User
) -> None:
    spans = [
        {"text": "of rain", "label": "right", "comment": "Yes."},
        {"text": "🙂", "label": "wrong"},
    ]
    line = {
        "id": "a",
        "question": "Why?",
        "outputs": {"base": "Because 🙂 of rain 🙂."},
        "reviews": [{"system": "base", "reviewer": "Mara", "overall": 3, "spans": spans}],
    }
    first = imported(project, manager, json_lines(line), "nested.jsonl").campaign
    assert first is not None
    (task,) = tasks_of(first)
    labels = [r for r in task["annotations"][0]["result"] if r["type"] == "labels"]
    assert [r["value"] for r in labels] == [
        {"start": 11, "end": 18, "text": "of rain", "labels": ["right"]},
        {"start": 8, "end": 10, "text": "🙂", "labels": ["wrong"]},
    ]
    config = ET.fromstring(labeling_config(first.rubric_version))
    assert [label.get("value") for label in config.iter("Label")] == ["right", "wrong"]

    back = imported(other_project, stranger, json.dumps([task]).encode(), "tasks.json").campaign

    def marks(campaign: Campaign | None) -> list[tuple[int, int, str, str]]:
        found = (
            SpanAnswer.objects.filter(review__campaign=campaign).select_related("criterion").order_by("start")
        )
        return [(s.start, s.end, s.criterion.options[s.label - 1]["label"], s.comment) for s in found]

    assert marks(back) == marks(first) == [(8, 9, "wrong", ""), (10, 17, "right", "Yes.")]


def exported_by_label_studio(tasks: list[Any]) -> list[Any]:
    """As Label Studio 1.23.2 gives back what it imported: numbers of its own, and one person for all."""
    return [
        {
            "id": number,
            "data": task["data"],
            "drafts": [],
            "predictions": [],
            "meta": {},
            "created_at": "2026-11-25T21:22:39.284979Z",
            "project": 1,
            "annotations": [
                {
                    "id": 10 * number + position,
                    "completed_by": 1,
                    "was_cancelled": False,
                    "lead_time": each["lead_time"],
                    "created_at": "2026-11-25T21:22:39.295274Z",
                    "result": [{"origin": "manual", **result} for result in each["result"]],
                }
                for position, each in enumerate(task["annotations"])
            ],
        }
        for number, task in enumerate(tasks, start=1)
    ]


@pytest.mark.parametrize("way", ["as it is", "by Label Studio"])
def test_what_goes_out_comes_back_the_same(
    campaign: Campaign, other_project: Project, stranger: User, way: str
) -> None:
    tasks = list(tasks_of(campaign))
    content = json.dumps(exported_by_label_studio(tasks) if way == "by Label Studio" else tasks).encode()

    ratings_import = imported(other_project, stranger, content, "tasks.json", name="Back")

    back = ratings_import.campaign
    assert back is not None
    assert (back.items_total, back.reviews_total, back.overlap) == (2, 8, 2)

    def said(one: Campaign) -> list[tuple[str, str, str, int | None]]:
        scores = load_scores(one)
        labels = {c.pk: c.model_version.label for c in scores.candidates}
        keys = {c.pk: c.name for c in scores.criteria}
        return sorted(
            (labels[a.candidate_id], str(scores.numbers[a.reviewer_id]), keys[a.criterion_id], str(a.value))
            for a in scores.answers
        )

    assert said(back) == said(campaign)
    assert set(Correction.objects.filter(review__campaign=back).values_list("text", flat=True)) == {
        "Say it “plainly” 🙂."
    }
    commented = Review.objects.filter(campaign=back).exclude(comment="").first()
    assert commented is not None
    assert commented.comment.endswith("Stiff.")
    assert "Tone: " in commented.comment


def test_a_criterion_comes_back_under_its_name_on_its_scale_and_in_its_direction(
    project: Project, other_project: Project, stranger: User, reviewer: User
) -> None:
    rubric = create_rubric(project=project, name="House", by=None)
    draft = CriterionDraft(name="Clear and short", minimum=0, maximum=9, low_threshold=None)
    faults = CriterionDraft(
        name="Faults", minimum=0, maximum=9, low_threshold=None, weight=Decimal(0), lower_is_better=True
    )
    version = save_version(rubric=rubric, criteria=[draft, faults], by=None)
    campaign = make_campaign(project, [reviewer], rows=3, rubric_version=version)
    said = ReviewAnswers(scores={"clear-and-short": 3, "faults": 3})
    review_all(campaign, reviewer, dict.fromkeys(("formal", "plain"), said))
    content = json.dumps(list(tasks_of(campaign))).encode()

    ratings_import = received(other_project, stranger, content, "tasks.json")
    assert carried_out(ratings_import, stranger, checks_only=True).state == "succeeded"

    told = ("name", "kind", "minimum", "maximum", "lower_is_better", "weight")
    assert [tuple(each[name] for name in told) for each in ratings_import.census["criteria"]] == [
        ("Clear and short", "scale", 0, 9, False, "1"),
        ("Faults", "scale", 0, 9, True, "0"),
    ]
