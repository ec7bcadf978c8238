"""A decision keeps the evidence it was made on; the home shows one row a cycle and what waits."""

from datetime import timedelta

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign, create_campaign, open_campaign
from evalapp.core.errors import InvalidError
from evalapp.decisions.cycles import cycles_of, headline_cycles, progress_of
from evalapp.decisions.inbox import inbox_of
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.registry.models import ModelVersion
from tests.cast import client_of
from tests.factories import (
    answers,
    make_adapter,
    make_campaign,
    make_outputs,
    make_proposed_rows,
    review_all,
    run_scoring,
)
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """ "formal" scores high on ROUGE and 2 for tone; "plain" the other way round."""
    campaign = make_campaign(cast.project, [cast.reviewer, cast.engineer], rows=10)
    run_scoring(campaign)
    liked = answers(accuracy=5, tone=5, personalization=5)
    said = {("formal", row): answers(tone=2 if row % 2 else 3) for row in range(1, 11)}
    for person in (cast.reviewer, cast.engineer):
        review_all(campaign, person, {**said, "plain": liked})
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def candidate(campaign: Campaign, label: str) -> ModelVersion:
    return campaign.candidates.get(model_version__label=label).model_version


def test_a_decision_keeps_the_numbers_it_was_made_on(campaign: Campaign, manager: User) -> None:
    plain = candidate(campaign, "plain")

    decision = decide(campaign=campaign, candidate=plain, verdict="release", note=" Tone. ", by=manager)

    assert decision.note == "Tone."
    assert decision.evidence["human"]["tone"]["value"] == 5.0
    assert decision.evidence["human"]["tone"]["n"] == 10
    assert decision.evidence["metrics"]["rougeL"]["value"] < 0.5
    assert decision.evidence["design"]["reviews"] == 40
    plain.refresh_from_db()
    assert plain.alias == "champion"
    assert AuditEvent.objects.filter(action="decision.made", actor_id=manager.pk).count() == 1


def test_the_same_decision_once_more_is_the_one_that_stands(campaign: Campaign, manager: User) -> None:
    formal, plain = candidate(campaign, "formal"), candidate(campaign, "plain")

    def release(version: ModelVersion, replaces: Decision | None = None) -> Decision:
        return decide(
            campaign=campaign,
            candidate=version,
            verdict="release",
            note="Tone.",
            by=manager,
            replaces=replaces.pk if replaces else None,
        )

    first = release(plain)
    assert release(plain) == first
    # Another has become the champion since, so this is no repetition.
    other = release(formal, first)
    again = release(plain, other)
    assert again != first and again.candidate.alias == "champion"
    assert Decision.objects.count() == 3
    assert AuditEvent.objects.filter(action="decision.made").count() == 3


def test_what_does_not_ship_gets_no_alias(campaign: Campaign, manager: User) -> None:
    formal = candidate(campaign, "formal")
    decide(campaign=campaign, candidate=formal, verdict="do_not_release", note="", by=manager)
    formal.refresh_from_db()
    assert not formal.alias


@pytest.mark.parametrize(
    ("verdict", "note", "message"),
    [
        ("maybe", "", "Choose release"),
        ("release", "x" * 5001, "at most 5,000"),
        ("release", "a\x00b", "none of them NUL"),
    ],
)
def test_a_decision_that_cannot_stay_is_refused(
    campaign: Campaign, manager: User, verdict: str, note: str, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        decide(
            campaign=campaign, candidate=candidate(campaign, "plain"), verdict=verdict, note=note, by=manager
        )
    assert not Decision.objects.exists()


def test_nothing_is_decided_without_evidence(empty_project: Project, reviewer: User, manager: User) -> None:
    campaign = make_campaign(empty_project, [reviewer])
    with pytest.raises(InvalidError, match="has no review yet"):
        decide(
            campaign=campaign, candidate=candidate(campaign, "plain"), verdict="release", note="", by=manager
        )


def test_a_candidate_of_another_campaign_is_refused(
    campaign: Campaign, project: Project, reviewer: User, manager: User
) -> None:
    other = make_campaign(project, [reviewer], name="Other", texts={"elsewhere": "Text {n}."})
    with pytest.raises(InvalidError, match="not a candidate of"):
        decide(
            campaign=campaign, candidate=candidate(other, "elsewhere"), verdict="release", note="", by=manager
        )


def test_the_home_says_what_people_and_rouge_disagree_on(campaign: Campaign, manager: User) -> None:
    (row,) = cycles_of(campaign.project)

    assert (row.number, row.data, row.training) == (1, campaign.dataset_version, None)
    assert row.contradiction is not None
    assert row.contradiction.cell.criterion.key == "tone"

    page = client_of(manager).get(f"/projects/{campaign.project.slug}/").content.decode()
    assert "ROUGE-L ranks" in page
    assert f'href="/projects/{campaign.project.slug}/results/{campaign.pk}/' in page


def test_a_cycle_is_about_its_newest_tuned_candidate_and_what_trained_it(
    campaign: Campaign, project: Project, reviewer: User
) -> None:
    adapter = make_adapter(project, "v1", dataset_version=campaign.dataset_version)
    second = make_campaign_of(project, reviewer, campaign, [adapter, candidate(campaign, "plain")])

    newest, oldest = cycles_of(project)
    assert (newest.number, newest.campaign, oldest.number) == (2, second, 1)
    assert newest.row is not None and newest.row.candidate.model_version == adapter
    assert newest.training is not None and newest.training.produced == adapter


def make_campaign_of(
    project: Project, reviewer: User, like: Campaign, versions: list[ModelVersion]
) -> Campaign:
    make_outputs(like.dataset_version, {versions[0]: "Adapter's answer {n}."})
    second = create_campaign(
        project=project,
        design=CampaignDesign(
            name="Second round",
            rubric_version=like.rubric_version,
            dataset_version=like.dataset_version,
            split=like.split,
            candidates=versions,
            overlap=1,
            reviewers=[reviewer],
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=second, by=project.created_by)


def test_progress_needs_two_cycles(campaign: Campaign) -> None:
    assert progress_of([]) is None
    assert progress_of(cycles_of(campaign.project)) is None


def test_progress_is_told_of_one_dataset(campaign: Campaign, project: Project, reviewer: User) -> None:
    adapter = make_adapter(project, "v1", dataset_version=campaign.dataset_version)
    second = make_campaign_of(project, reviewer, campaign, [adapter, candidate(campaign, "plain")])
    review_all(second, reviewer, {"v1": answers(tone=4)})
    other = make_campaign(
        project, [reviewer], rows=2, name="Other work", texts={"one": "One.", "two": "Two."}
    )
    review_all(other, reviewer, {"two": answers(tone=1)})
    progress = progress_of(cycles_of(project))
    assert progress is not None
    assert [cycle.campaign for cycle, _ in progress.steps] == [campaign, second]


def test_the_recorded_story_is_told_until_the_live_one_is_whole(
    campaign: Campaign, project: Project, reviewer: User, manager: User
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(is_recorded=True)
    live = make_campaign_of(
        project,
        reviewer,
        campaign,
        [make_adapter(project, "v1", dataset_version=campaign.dataset_version), candidate(campaign, "plain")],
    )

    page = client_of(manager).get(f"/projects/{project.slug}/").content.decode()
    assert "ROUGE-L ranks" in page
    assert [cycle.campaign for cycle in headline_cycles(cycles_of(project))] == [campaign]

    close_campaign(campaign=live, by=manager)
    assert [cycle.campaign for cycle in headline_cycles(cycles_of(project))] == [live]


def test_the_inbox_names_what_waits(campaign: Campaign, manager: User) -> None:
    assert [entry.kind for entry in inbox_of(campaign.project)] == ["complete"]
    make_proposed_rows(campaign, manager)
    close_campaign(campaign=campaign, by=manager)

    assert [entry.kind for entry in inbox_of(campaign.project)] == ["decision", "proposed_rows"]

    decide(campaign=campaign, candidate=candidate(campaign, "plain"), verdict="release", note="", by=manager)
    assert [entry.kind for entry in inbox_of(campaign.project)] == ["proposed_rows"]


def test_a_campaign_without_reviews_for_two_days_is_stalled(empty_project: Project, reviewer: User) -> None:
    campaign = make_campaign(empty_project, [reviewer])
    assert inbox_of(empty_project) == []
    Campaign.objects.filter(pk=campaign.pk).update(opened_at=timezone.now() - timedelta(days=3))
    assert [entry.kind for entry in inbox_of(empty_project)] == ["stalled"]
    review_all(campaign, reviewer, {})
    assert [entry.kind for entry in inbox_of(empty_project)] == ["complete"]
