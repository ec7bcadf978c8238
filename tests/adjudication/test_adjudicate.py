"""Disagreements are found and decided; the decision stands beside what reviewers gave, never over it."""

import csv
import io
import re
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Membership, Project, User
from evalapp.adjudication.disagreements import worklist_of
from evalapp.adjudication.models import Adjudication
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.adjudicated_scores import with_adjudicated
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError, StaleError
from evalapp.exports.files import rating_lines
from evalapp.exports.queries import ratings_of
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Score
from evalapp.reviews.pseudonyms import shown_names
from evalapp.reviews.spans import Span
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.services import create_rubric, save_version
from tests.adjudication.conftest import address, name_distinctly, output_of
from tests.cast import client_of
from tests.factories import YES_NO, answers, make_campaign, review_all

pytestmark = pytest.mark.django_db
WHY = "The greeting is stiff, the rest is not."


def decide(
    item_output: ItemOutput, by: User, value: int | str | None = 3, *, key: str = "tone", **more: object
):
    campaign = item_output.item.campaign
    adjudication = AdjudicatedScore(value, str(more.pop("reason", WHY)), int(more.pop("revision", 0)))
    (decision,) = adjudicate(campaign=campaign, item_output=item_output, scores={key: adjudication}, by=by)
    return decision


PAGES = ["adjudication/", "adjudication/next/", "adjudication/{output}/", "adjudication/appeals/"]


@pytest.mark.parametrize("page", PAGES)
def test_access(page: str, request: pytest.FixtureRequest, disputed: ItemOutput) -> None:
    place = address(disputed.item.campaign, page.format(output=disputed.pk))
    expected = {"owner": 200, "manager": 200, "engineer": 403, "reviewer": 403, "stranger": 404}
    found = {
        name: client_of(request.getfixturevalue(name)).get(place, follow=name in ("owner", "manager"))
        for name in expected
    }
    assert {name: answer.status_code for name, answer in found.items()} == expected


def test_disagreements_by_distance(campaign: Campaign) -> None:
    formal, plain = output_of(campaign, "formal"), output_of(campaign, "plain")

    def found(least_difference: int) -> list[tuple[int, list[tuple[str, int, int]]]]:
        return [
            (each.item_output_id, [(one.criterion.key, one.low, one.high) for one in each.disagreements])
            for each in worklist_of(campaign, least_difference=least_difference).rows
        ]

    tone, error = ("tone", 1, 5), (YES_NO, 0, 1)
    assert found(4) == found(2) == [(formal.pk, [tone]), (plain.pk, [error])]
    assert found(1) == [(formal.pk, [tone]), (plain.pk, [("tone", 3, 4), error])]


def test_simulated_answers_count_in_demonstrations_alone(campaign: Campaign, reviewer: User) -> None:
    reviewer.reviews.update(is_simulated=True)
    assert worklist_of(campaign).total == 0
    Project.objects.update(is_demonstration=True)
    campaign.project.refresh_from_db()
    assert worklist_of(campaign).total == 2


def test_a_decision_stands_beside_the_originals(
    campaign: Campaign, disputed: ItemOutput, manager: User
) -> None:
    before = list(Score.objects.order_by("pk").values())

    decision = decide(disputed, manager)

    assert list(Score.objects.order_by("pk").values()) == before
    assert (decision.value, decision.reason, decision.revision) == (3, WHY, 1)
    worklist = worklist_of(campaign)
    assert (worklist.decided, worklist.total) == (1, 2)
    event = AuditEvent.objects.get(action="adjudication.decided")
    assert (event.actor_id, event.data["value"], event.data["criterion"]) == (manager.pk, 3, "tone")


def test_a_decision_is_revised_with_its_history(disputed: ItemOutput, manager: User, owner: User) -> None:
    decide(disputed, manager)
    assert decide(disputed, manager).revision == 1  # the same once more is none
    with pytest.raises(StaleError):
        decide(disputed, owner, 4)
    with pytest.raises(StaleError):
        decide(disputed, owner, 4, revision=7)

    revised = decide(disputed, owner, "na", revision=1, reason="It has no tone.")

    assert (revised.value, revised.is_not_applicable, revised.revision) == (None, True, 2)
    kept = revised.revisions.get()
    assert (kept.revision, kept.value, kept.reason, kept.decided_by) == (1, 3, WHY, manager)
    assert AuditEvent.objects.get(action="adjudication.revised").data["before"] == 3


@pytest.mark.parametrize("value", [0, 6, 2**40, "4", "x", True, None, -1])
def test_an_impossible_value_is_refused(disputed: ItemOutput, manager: User, value: int | str | None) -> None:
    with pytest.raises(InvalidError) as refused:
        decide(disputed, manager, value)
    assert list(refused.value.fields) == ["tone.value"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "a\x00b"])
def test_a_decision_needs_a_reason(disputed: ItemOutput, manager: User, reason: str) -> None:
    with pytest.raises(InvalidError) as refused:
        decide(disputed, manager, reason=reason)
    assert list(refused.value.fields) == ["tone.reason"]


def test_what_there_is_nothing_to_decide_about(
    campaign: Campaign, disputed: ItemOutput, manager: User
) -> None:
    with pytest.raises(ConflictError, match="do not differ"):
        decide(disputed, manager, key="clarity")
    with pytest.raises(InvalidError, match="no criterion with levels"):
        decide(disputed, manager, key="nonsense")
    with pytest.raises(InvalidError, match="not applicable"):
        decide(output_of(campaign, "plain"), manager, "na", key=YES_NO)
    assert not Adjudication.objects.exists()


def test_nobody_adjudicates_their_own(
    campaign: Campaign, disputed: ItemOutput, reviewer: User, owner: User
) -> None:
    Membership.objects.filter(user=reviewer).update(role="manager")
    with pytest.raises(NotAllowedError, match="yourself"):
        decide(disputed, reviewer)
    client = client_of(reviewer)
    desk = address(campaign, f"adjudication/{disputed.pk}/")
    page = client.get(desk)
    assert page.status_code == 200
    assert "somebody else has to decide" in page.text
    assert "Save decision and next" not in page.text
    assert client.post(desk, {"criterion-tone": "3", "reason-tone": WHY}).status_code == 403
    assert "Adjudicate" not in client.get(address(campaign, f"cases/{disputed.item_id}/")).text
    assert "another person decides" in client.get(address(campaign, "adjudication/")).text
    following = client.get(address(campaign, "adjudication/next/"), follow=True)
    assert "Nothing is left for you" in following.text
    # And the database itself refuses it.
    decision = decide(disputed, owner)
    with pytest.raises(IntegrityError, match="reviewed"), transaction.atomic():
        Adjudication.objects.filter(pk=decision.pk).update(decided_by=reviewer)


def test_who_may_still_get_work_does_not_adjudicate(
    empty_project: Project, manager: User, reviewer: User, owner: User
) -> None:
    campaign = make_campaign(empty_project, [manager, reviewer, owner], rows=1, texts={"one": "A {n}."})
    review_all(campaign, owner, {"one": answers(tone=1)})
    review_all(campaign, reviewer, {"one": answers(tone=5)})
    output = output_of(campaign, "one")
    with pytest.raises(NotAllowedError, match="still review"):
        decide(output, manager)
    client = client_of(manager)
    for page in (f"adjudication/{output.pk}/", f"adjudication/{output.pk}/discussion/"):
        assert client.get(address(campaign, page)).status_code == 403
    assert f"adjudication/{output.pk}/" not in client.get(address(campaign, "adjudication/")).text


def test_the_database_holds_the_scale(disputed: ItemOutput, manager: User) -> None:
    decision = decide(disputed, manager)
    rows = Adjudication.objects.filter(pk=decision.pk)
    for change in ({"value": 6}, {"value": None}, {"is_not_applicable": True}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(maximum=9, value=9)
        connection.check_constraints()


def test_the_desk_decides_and_goes_on(campaign: Campaign, disputed: ItemOutput, manager: User) -> None:
    client = client_of(manager)
    first = client.get(address(campaign, "adjudication/next/"))
    assert first.url == address(campaign, f"adjudication/{disputed.pk}/")
    page = client.get(first.url).text
    assert "0 of 2 disagreements decided" in page
    assert "Reviewer 1" in page and "Reviewer 2" in page

    sent = client.post(first.url, {"criterion-tone": "3", "reason-tone": WHY, "revision-tone": "0"})

    plain = output_of(campaign, "plain")
    assert sent.url == address(campaign, f"adjudication/{plain.pk}/")
    assert "1 of 2 disagreements decided" in client.get(sent.url).text
    last = client.post(sent.url, {f"criterion-{YES_NO}": "1", f"reason-{YES_NO}": WHY}, follow=True)
    assert "Every disagreement here is decided" in last.text
    assert "2 of 2 disagreements decided" in last.text
    assert {each.criterion.key: each.value for each in Adjudication.objects.all()} == {"tone": 3, YES_NO: 1}


def test_the_desk_says_what_is_missing_and_keeps_what_was_given(disputed: ItemOutput, manager: User) -> None:
    desk = address(disputed.item.campaign, f"adjudication/{disputed.pk}/")
    client = client_of(manager)
    nothing = client.post(desk, {})
    assert nothing.status_code == 400
    assert "Nothing was decided" in nothing.text
    half = client.post(desk, {"criterion-tone": "9", "reason-tone": "Typed words."})
    assert half.status_code == 400
    assert "Tone is 1 to 5" in half.text
    assert "Typed words." in half.text
    bad = client.post(desk, {"criterion-tone": "2", "reason-tone": "a\x00b"})
    assert bad.status_code == 400
    assert not Adjudication.objects.exists()


def test_the_desk_is_blind_and_under_pseudonyms(
    campaign: Campaign, disputed: ItemOutput, manager: User, reviewer: User, other_reviewer: User
) -> None:
    name_distinctly(reviewer, other_reviewer)
    for place in (f"adjudication/{disputed.pk}/", "adjudication/", f"adjudication/{disputed.pk}/discussion/"):
        text = client_of(manager).get(address(campaign, place)).text
        assert "formal" not in re.sub(r"[Tt]oo.formal", "", text)
        for person in (reviewer, other_reviewer):
            assert str(person) not in text
            assert person.email not in text
    Project.objects.update(shows_reviewer_names=True)
    assert str(reviewer) in client_of(manager).get(address(campaign, f"adjudication/{disputed.pk}/")).text


def test_the_comparison_shows_either(campaign: Campaign, disputed: ItemOutput, manager: User) -> None:
    client, place = client_of(manager), address(campaign)
    assert "adjudicated value" not in client.get(place).text
    decide(disputed, manager, 5)
    scores = load_scores(campaign)
    adjudicated = with_adjudicated(scores)

    def tone(of) -> float:
        row = next(row for row in compare(of).rows if row.label == "formal")
        return row.cell("tone").mean.value

    # Row 1 has 1 and 5, row 2 has 4 and 4.
    assert (tone(scores), tone(adjudicated.scores), adjudicated.decided) == (3.5, 4.5, 1)
    originals, decided = client.get(place).text, client.get(f"{place}?score_source=adjudicated").text
    assert "With 1 adjudicated value" in originals
    assert "Adjudicated values replace" not in originals
    assert "Adjudicated values replace" in decided
    assert client.get(f"{place}?score_source=nonsense").status_code == 200

    lines = list(csv.DictReader(io.StringIO(client.get(f"{place}table.csv").text)))
    line = next(each for each in lines if (each["candidate"], each["measure"]) == ("formal", "tone"))
    assert (line["value"], line["adjudicated"]) == ("3.5", "4.5")


def test_not_applicable_leaves_the_output_out(disputed: ItemOutput, manager: User) -> None:
    decide(disputed, manager, "na")
    adjudicated = with_adjudicated(load_scores(disputed.item.campaign))
    row = next(row for row in compare(adjudicated.scores).rows if row.label == "formal")
    cell = row.cell("tone")
    assert (cell.mean.value, cell.mean.n, cell.not_applicable) == (4.0, 1, 2)


def test_the_exported_ratings_have_what_was_decided(
    campaign: Campaign, disputed: ItemOutput, manager: User
) -> None:
    decision = decide(disputed, manager)
    found = {(disputed.pk, decision.criterion_id): decision}
    lines = list(
        csv.DictReader(io.StringIO("".join(rating_lines(ratings_of(campaign), shown_names(campaign), found))))
    )
    told = [(line["value"], line["adjudicated"]) for line in lines if line["criterion"] == "tone"]
    assert sorted(told) == [
        ("1", "3"),
        ("3", ""),
        ("4", ""),
        ("4", ""),
        ("4", ""),
        ("4", ""),
        ("4", ""),
        ("5", "3"),
    ]


def test_the_case_shows_the_decision(disputed: ItemOutput, manager: User, engineer: User) -> None:
    decide(disputed, manager)
    case = address(disputed.item.campaign, f"cases/{disputed.item_id}/")
    for person in (manager, engineer):
        text = client_of(person).get(case).text
        assert "Adjudicated: Tone" in text
        assert WHY in text


def test_the_list_takes_as_many_queries_for_three_as_for_one(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    counts = []
    for rows in (1, 3):
        campaign = make_campaign(
            project, [reviewer, other_reviewer], rows=rows, name=f"{rows}", texts={f"m{rows}": "A {n}."}
        )
        review_all(campaign, reviewer, {f"m{rows}": answers(tone=1)})
        review_all(campaign, other_reviewer, {f"m{rows}": answers(tone=5)})
        client = client_of(manager)
        client.get(address(campaign, "adjudication/"))
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address(campaign, "adjudication/")).text.count("Undecided</span>") == rows
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_odd_addresses_fall_back(campaign: Campaign, disputed: ItemOutput, manager: User) -> None:
    client = client_of(manager)
    for page in (
        "adjudication/?apart=x&show=y&page=z",
        "adjudication/?apart=99",
        f"adjudication/{disputed.pk}/?apart=x",
    ):
        assert client.get(address(campaign, page)).status_code == 200
    for query in ("after=x", "after=99999999999999999999999", "after=1&apart=1"):
        assert client.get(address(campaign, f"adjudication/next/?{query}")).status_code == 302


def test_the_desk_shows_marks_and_takes_numbers(
    empty_project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    rubric_version = save_version(
        rubric=create_rubric(project=empty_project, name="Marks", by=manager),
        criteria=[
            CriterionDraft(name="Worth", minimum=0, maximum=100, low_threshold=None),
            CriterionDraft(
                name="Facts", kind="spans", minimum=0, maximum=1, low_threshold=None, is_required=False,
                options=(Option("invented"),),
            ),
        ],
        by=manager,
    )  # fmt: skip
    campaign = make_campaign(
        empty_project,
        [reviewer, other_reviewer],
        rows=1,
        texts={"one": "👩‍👧 A {n}."},
        rubric_version=rubric_version,
    )
    marked = ReviewAnswers({"worth": 20}, spans={"facts": (Span(4, 5, 1),)})
    review_all(campaign, reviewer, {"one": marked})
    review_all(campaign, other_reviewer, {"one": ReviewAnswers({"worth": 70})})
    assert (
        worklist_of(campaign, least_difference=2).total,
        worklist_of(campaign, least_difference=3).total,
    ) == (1, 0)
    desk = address(campaign, f"adjudication/{output_of(campaign, 'one').pk}/")
    page = client_of(manager).get(desk).text
    assert "invented: “A”" in page
    assert 'type="number" name="criterion-worth"' in page
    assert client_of(manager).post(desk, {"criterion-worth": "101", "reason-worth": WHY}).status_code == 400
    assert client_of(manager).post(desk, {"criterion-worth": "45", "reason-worth": WHY}).status_code == 302
    assert Adjudication.objects.get().value == 45


def test_a_small_difference_is_no_disagreement_and_says_why(campaign: Campaign, manager: User) -> None:
    client, output = client_of(manager), output_of(campaign, "plain")
    desk = address(campaign, f"adjudication/{output.pk}/")

    usual = client.get(desk)
    at_one_point = client.get(f"{desk}?apart=1")

    def rows(page: Any) -> dict[str, tuple[bool, str]]:
        return {row.criterion.key: (row.differs, row.note) for row in page.context["table"].rows}

    assert rows(usual)["tone"] == (False, "differ by 1; 2 or more are a disagreement here")
    assert rows(usual)[YES_NO] == (True, "")
    assert rows(usual)["clarity"] == (False, "")
    assert "differ by 1; 2 or more are a disagreement here" in usual.text
    assert usual.text.count('<tr class="differs">') == 1
    assert 'name="criterion-tone"' not in usual.text
    assert rows(at_one_point)["tone"] == (True, "")
    assert 'name="criterion-tone"' in at_one_point.text
