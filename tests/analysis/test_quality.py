"""The quality of a campaign while it runs: each hint says its figures and leads to its cases."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.analysis.quality.campaign_quality import quality_of
from evalapp.analysis.quality.hints import HINTS, Hint, Quality, hints_of
from evalapp.analysis.quality.reading import reading_times
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from evalapp.reviews.progress import team_progress
from tests.api.conftest import program_of
from tests.campaigns.making import make_open_campaign
from tests.cast import client_of, make_project
from tests.closing_campaign import make_tuned_campaign
from tests.factories import PLAIN, answers, make_campaign, review_all, submit_review, walk
from tests.kept_cast import Cast, again
from tests.reviews.test_closing import closing_url, fields_of

pytestmark = pytest.mark.django_db

LABELS = ("formal", "plain")
ROWS = 16
# Levels that go up and down with the row, so that there is something to agree on.
VARIED = {
    (label, row): answers(tone=1 + row % 5, accuracy=5 - row % 4)
    for label in LABELS
    for row in range(1, ROWS + 1)
}


def shifted(by: int) -> dict[tuple[str, int], object]:
    return {key: answers(tone=max(1, min(5, 1 + key[1] % 5 + by)), accuracy=5 - key[1] % 4) for key in VARIED}


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User, engineer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer, engineer], rows=ROWS)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """In a project of its own; two of three people have reviewed all, and agree."""
    people = {"reviewer": cast.reviewer, "reviewer2": cast.other_reviewer, "engineer": cast.engineer}
    project = make_project("Agreed", owner=cast.owner, manager=cast.manager, **people)
    campaign = make_campaign(project, list(people.values()), rows=ROWS)
    for person in (cast.other_reviewer, cast.engineer):
        review_all(campaign, person, VARIED, seconds_active=20.0)
    return campaign


@pytest.fixture
def agreed(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def panel(agreed: Campaign) -> Callable[[User, dict], list[Hint]]:
    """Two people who agree, and a third who says ``said``: the hints about all of them."""

    def look(third: User, said: dict, **options: object) -> list[Hint]:
        review_all(agreed, third, said, **{"seconds_active": 20.0, **options})
        return hints_of(Quality(load_scores(agreed), team_progress(agreed), reading_times(agreed)))

    return look


def test_people_who_agree_give_no_hint(panel: Callable, reviewer: User) -> None:
    assert panel(reviewer, VARIED) == []


def test_severity_is_told_with_its_interval_and_leads_to_its_cases(
    panel: Callable, reviewer: User, agreed: Campaign, manager: User
) -> None:
    hints = panel(reviewer, shifted(-2))
    severe = [hint for hint in hints if hint.kind == "severity"]
    assert next((hint.title, hint.reviewer_id) for hint in severe if hint.cases["criterion"] == "tone") == (
        "Severe",
        reviewer.pk,
    )
    (about_tone,) = [
        hint for hint in severe if hint.reviewer_id == reviewer.pk and hint.cases["criterion"] == "tone"
    ]
    # Rows at level 1 cannot go lower: 32 outputs, 1.4 below on average.
    assert (
        "below the co-reviewers on 32 shared outputs" in about_tone.evidence and "99%" in about_tone.evidence
    )
    page = client_of(manager).get(f"/projects/{agreed.project.slug}/campaigns/{agreed.pk}/quality/")
    number = load_scores(agreed).numbers[reviewer.pk]
    address = (
        f"/projects/{agreed.project.slug}/results/{agreed.pk}/cases/"
        f"?reviewer={number}&amp;criterion=tone&amp;differ=1"
    )
    assert address in page.text and "Severe" in page.text
    cases = client_of(manager).get(address.replace("&amp;", "&"))
    assert cases.status_code == 200 and cases.context["page"].paginator.count > 10


def test_disagreement_is_not_severity(panel: Callable, reviewer: User) -> None:
    mirrored = {key: answers(tone=5 - key[1] % 5, accuracy=5 - key[1] % 4) for key in VARIED}
    hints = [hint for hint in panel(reviewer, mirrored) if hint.reviewer_id == reviewer.pk]
    assert "disagreement" in [hint.kind for hint in hints]
    (found,) = [hint for hint in hints if hint.kind == "disagreement"]
    assert "Tone: far from a co-reviewer's answer" in found.evidence and "0% on 32" in found.evidence


def test_one_answer_throughout_is_told_against_what_others_said(panel: Callable, reviewer: User) -> None:
    same = {key: answers(tone=3, accuracy=5 - key[1] % 4) for key in VARIED}
    hints = [hint for hint in panel(reviewer, same) if hint.kind == "same_answer"]
    assert [hint.reviewer_id for hint in hints] == [reviewer.pk]
    assert "“3” in 32 of 32 answers" in hints[0].evidence
    assert "entropy 0.00 against" in hints[0].evidence
    assert hints[0].cases["level"] == 3


def test_what_everybody_answers_alike_is_no_hint(panel: Callable, reviewer: User) -> None:
    # Clarity and personalization are 4 throughout for everybody.
    assert not [hint for hint in panel(reviewer, VARIED) if hint.kind == "same_answer"]


def test_speed_needs_both_the_others_and_the_words(panel: Callable, reviewer: User, agreed: Campaign) -> None:
    hints = panel(reviewer, VARIED, seconds_active=0.5)
    (found,) = hints
    assert (found.kind, found.reviewer_id) == ("too_fast", reviewer.pk)
    assert "0.5 active seconds a review (median of the latest 32), the others 20.0" in found.evidence
    # The same third of the others' time, but slower than anybody reads: no hint.
    Review.objects.filter(campaign=agreed, reviewer=reviewer).update(seconds_active=5.0)
    quality = Quality(load_scores(agreed), team_progress(agreed), reading_times(agreed))
    assert hints_of(quality) == []
    # No times, no hint.
    Review.objects.filter(campaign=agreed, reviewer=reviewer).update(seconds_active=0)
    quality = Quality(load_scores(agreed), team_progress(agreed), reading_times(agreed))
    assert hints_of(quality) == []


def read_at(campaign: Campaign) -> list[Hint]:
    quality = Quality(load_scores(campaign), team_progress(campaign), reading_times(campaign))
    return [hint for hint in hints_of(quality) if hint.kind == "too_fast"]


def test_a_panel_that_is_fast_as_a_whole_is_told_too(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    # Of each item a context of 6 words, and two answers of 100: 103 words a review in the middle.
    texts = dict.fromkeys(LABELS, "word " * 100)
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=ROWS, texts=texts)
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, VARIED, seconds_active=10.4)
    assert read_at(campaign) == []
    rates = [each.words_per_minute for each in reading_times(campaign).values()]
    assert rates == pytest.approx([60 * 103 / 10.4] * 2)

    Review.objects.filter(campaign=campaign).update(seconds_active=5)
    hints = read_at(campaign)

    assert {hint.reviewer_id for hint in hints} == {reviewer.pk, other_reviewer.pk}
    for hint in hints:
        assert hint.evidence.startswith("1,236 words a minute of the answer")
        assert "median of the latest 32 reviews, 5.0 active seconds each" in hint.evidence
        assert set(hint.cases) == {"reviewer"}


def test_between_two_reviewers_nobody_is_called_severe(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=ROWS)
    review_all(campaign, reviewer, shifted(-2), seconds_active=20.0)
    review_all(campaign, other_reviewer, VARIED, seconds_active=20.0)
    numbers = load_scores(campaign).numbers

    shown = [each for each in quality_of(campaign, reader=manager.pk).hints if each.hint.kind == "severity"]

    (found,) = shown
    higher, lower = numbers[other_reviewer.pk], numbers[reviewer.pk]
    assert (found.name, found.hint.title) == (f"Reviewer {higher} and Reviewer {lower}", "Apart")
    assert found.hint.evidence.startswith(
        "Tone: these two differ by 1.4, the first being higher, on 32 shared"
    )
    assert "With two reviewers, nobody can tell which one is severe." in found.hint.evidence
    page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/")
    cases = f"/projects/{project.slug}/results/{campaign.pk}/cases/?criterion=tone&amp;differ=1"
    assert cases in page.text
    assert "Severe" not in page.text.replace("Severity", "")


def test_who_is_behind_is_told_by_the_deadline_and_without_one_by_the_others(
    campaign: Campaign, reviewer: User, other_reviewer: User, engineer: User
) -> None:
    for person, most in ((other_reviewer, 20), (engineer, 20), (reviewer, 2)):
        for done, (assignment, entry) in enumerate(walk(campaign, person), start=1):
            review_one(person, assignment, entry)
            if done == most:
                break

    def look() -> list[Hint]:
        quality = Quality(load_scores(campaign), team_progress(campaign), {})
        return [hint for hint in hints_of(quality) if hint.kind == "behind"]

    (by_others,) = look()
    assert by_others.reviewer_id == reviewer.pk
    assert "2 of a quota of 32 done; the others have done 20 (median)" in by_others.evidence

    now = timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(
        opened_at=now - timedelta(days=5.5), deadline=now + timedelta(days=2)
    )
    campaign.refresh_from_db()
    (by_deadline,) = look()
    assert by_deadline.reviewer_id == reviewer.pk
    assert "15.0 a day are needed until the deadline" in by_deadline.evidence
    assert "0.4 a day over 5 days" in by_deadline.evidence


def test_nobody_is_behind_when_every_review_is_in(
    project: Project, reviewer: User, other_reviewer: User, engineer: User
) -> None:
    people = [reviewer, other_reviewer, engineer]
    campaign = make_open_campaign(project, people, rows=16, candidates=1, overlap=2)
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, {})
    team = team_progress(campaign)
    assert (team.done, campaign.reviews_total) == (32, 32)
    assert [member.left for member in team.members] == [0, 0, 0]
    assert not [hint for hint in hints_of(Quality(load_scores(campaign), team, {})) if hint.kind == "behind"]


def review_one(person: User, assignment: Assignment, entry: object) -> None:
    submit_review(
        reviewer=person, assignment=assignment, item_output=entry, client_id=uuid.uuid4(), answers=answers()
    )


def test_a_further_hint_plugs_into_the_list(
    panel: Callable, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift(quality: Quality):
        yield Hint("drift", "Drifts", reviewer.pk, f"On {len(quality.team.members)} people.", {})

    monkeypatch.setattr("evalapp.analysis.quality.hints.HINTS", [*HINTS, drift])
    assert [(hint.kind, hint.evidence) for hint in panel(reviewer, VARIED)] == [("drift", "On 3 people.")]


def test_agreement_is_early_until_ten_outputs_have_two_reviews(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    few = make_campaign(project, [reviewer, other_reviewer], rows=9, name="Few", texts={"one": PLAIN})
    enough = make_campaign(project, [reviewer, other_reviewer], rows=10, name="Enough", texts={"two": PLAIN})
    for campaign, label in ((few, "one"), (enough, "two")):
        for person in (reviewer, other_reviewer):
            review_all(campaign, person, {(label, row): VARIED["plain", row] for row in range(1, 11)})
    shown = {
        campaign.name: client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/")
        for campaign in (few, enough)
    }
    assert shown["Few"].text.count("Too early: agreement needs 10 outputs rated by two reviewers.") == 1
    assert "Too early" not in shown["Enough"].text
    (tone,) = [
        each for each in shown["Enough"].context["quality"].agreement if each.row.criterion.key == "tone"
    ]
    assert (tone.outputs, tone.is_early, tone.row.alpha.value) == (10, False, 1.0)
    # The campaign's own page fetches the same table, and links to it without scripts.
    page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{enough.pk}/").text
    address = f"/projects/{project.slug}/campaigns/{enough.pk}/quality/"
    assert f'hx-get="{address}"' in page and f'href="{address}"' in page
    assert f'href="/projects/{project.slug}/results/{enough.pk}/cases/?differ=1"' in page


def test_nothing_is_offered_where_nobody_can_differ(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, overlap=1)
    for address in (f"/projects/{project.slug}/", f"/projects/{project.slug}/campaigns/{campaign.pk}/"):
        assert "?differ=1" not in client_of(manager).get(address).text


def test_outputs_on_which_reviewers_differ_come_widest_first_on_any_criterion(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=3)
    review_all(campaign, reviewer, {})
    review_all(campaign, other_reviewer, {("plain", 2): answers(tone=1), ("formal", 3): answers(accuracy=5)})
    quality = quality_of(campaign, reader=manager.pk)
    labels = [row.candidate.model_version.label for row in quality.differing]
    assert labels == ["plain", "formal"] and quality.differing_total == 2
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/cases/?differ=1")
    assert page.context["page"].paginator.count == 2
    assert "2 outputs: reviewers differ, most first." in page.text
    # On what, and how far.
    assert [(row.differs.criterion.key, row.differs.words) for row in quality.differing] == [
        ("tone", "1 and 4"),
        ("accuracy", "4 and 5"),
    ]
    said = f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/"
    for text in (page.text, client_of(manager).get(said).text):
        assert '<span class="soft">Tone</span> <strong class="number">1 and 4</strong>' in text
    listed = program_of(manager).get(f"projects/{project.slug}/campaigns/{campaign.pk}/cases/?differ=true")
    first = listed.json()["results"][0]
    assert (first["differ_on"], first["answers"]) == ("tone", [1, 4])
    home = client_of(manager).get(f"/projects/{project.slug}/").text
    assert f"/results/{campaign.pk}/cases/?differ=1" in home


def test_items_taken_and_left_again_are_listed(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2)
    for _ in range(8):
        next(walk(campaign, reviewer))
        Assignment.objects.filter(campaign=campaign, state=AssignmentState.IN_PROGRESS).update(
            lease_expires_at=timezone.now() - timedelta(hours=1)
        )
        return_lapsed_assignments(campaign=campaign)
    page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/")
    assert re.search(r"Row \d, abandoned [34] times", page.text)
    home = client_of(manager).get(f"/projects/{project.slug}/").text
    assert "claimed and abandoned 3 times or more" in home
    review_all(campaign, reviewer, {})
    assert not quality_of(campaign, reader=manager.pk).abandoned_items


def test_the_unblinding_index_is_told_once_somebody_was_asked_after_the_end(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    campaign = make_tuned_campaign(project, [reviewer, engineer])
    review_all(campaign, reviewer, {})
    close_campaign(campaign=campaign, by=manager)
    assert quality_of(campaign, reader=manager.pk).unblinding is None
    client = client_of(reviewer)
    fields = fields_of(client.get(closing_url(campaign)).text)
    client.post(closing_url(campaign), dict.fromkeys(fields, "2"))
    found = quality_of(campaign, reader=manager.pk).unblinding
    assert found is not None
    # Whoever takes every text for the tuned model's knows nothing, however many of them are.
    assert (found.indices.overall.value, found.indices.tuned.value, found.indices.other.value) == (
        0.0,
        1.0,
        -1.0,
    )
    assert (found.answers, found.reviewers, found.sure) == (6, 1, 6)
    assert found.sure_right == found.indices.tuned.n
    for path in (f"results/{campaign.pk}/can-i-trust-it/", f"campaigns/{campaign.pk}/quality/"):
        page = client_of(manager).get(f"/projects/{project.slug}/{path}").text
        assert "Unblinding index" in page and "6 guesses by 1 reviewer" in page


def test_of_one_kind_of_texts_no_index_is_told_and_why_is(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_tuned_campaign(project, [reviewer])
    review_all(campaign, reviewer, {})
    close_campaign(campaign=campaign, by=manager)
    ModelVersion.objects.filter(kind="lora").update(kind="imported")
    client = client_of(reviewer)
    fields = fields_of(client.get(closing_url(campaign)).text)
    client.post(closing_url(campaign), dict.fromkeys(fields, "1"))
    page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/").text
    assert "answers about one kind of output only" in page


def test_the_api_says_the_same(panel: Callable, reviewer: User, agreed: Campaign, manager: User) -> None:
    panel(reviewer, shifted(-2))
    body = program_of(manager).get(f"projects/{agreed.project.slug}/campaigns/{agreed.pk}/quality/").json()
    assert {row["criterion"] for row in body["agreement"]} >= {"tone", "accuracy"}
    assert {"kind", "title", "reviewer", "evidence", "cases"} == set(body["hints"][0])
    assert "Severe" in {hint["title"] for hint in body["hints"]}
    assert body["unblinding"] is None and body["differing_total"] > 10


def test_a_draft_has_no_quality(project: Project, campaign: Campaign, manager: User) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(state="draft", opened_at=None)
    assert (
        client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/").status_code
        == 404
    )


def test_the_page_reads_the_same_number_of_times_for_one_difference_and_for_three(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    counts = []
    for rows in (1, 3):
        campaign = make_campaign(
            project, [reviewer, other_reviewer], rows=rows, name=f"{rows} rows", texts={f"of {rows}": PLAIN}
        )
        review_all(campaign, reviewer, {})
        review_all(campaign, other_reviewer, {f"of {rows}": answers(tone=1)})
        client = client_of(manager)
        client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/")
        with CaptureQueriesContext(connection) as queries:
            page = client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/")
        assert page.context["quality"].differing_total == rows
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_time_that_nobody_took_does_not_break_the_page(
    campaign: Campaign, project: Project, reviewer: User, manager: User
) -> None:
    review_all(campaign, reviewer, VARIED, seconds_active=20.0)
    Review.objects.filter(campaign=campaign, pk=campaign.reviews.latest("pk").pk).update(
        seconds_active=1e-310
    )
    (reading,) = reading_times(campaign).values()
    assert (reading.reviews, reading.seconds) == (31, 20.0)
    assert (
        client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/").status_code
        == 200
    )
