"""Simpson's paradox is shown with the results, with its numbers and a way to the items."""

from collections.abc import Sequence

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.stored import stored_results
from evalapp.campaigns.models import Campaign
from tests.analysis.segments import INSTITUTIONAL, make_segmented, review_with_paradox, segment_of
from tests.analysis.test_large import computed
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all

pytestmark = pytest.mark.django_db
ROWS = 36


@pytest.fixture
def panel(reviewer: User, other_reviewer: User) -> Sequence[User]:
    return [reviewer, other_reviewer]


@pytest.fixture
def campaign(project: Project, panel: Sequence[User]) -> Campaign:
    campaign = make_segmented(project, panel, rows=ROWS)
    review_with_paradox(campaign, panel, rows=ROWS)
    return campaign


def test_the_stratum_is_named_with_its_numbers(campaign: Campaign) -> None:
    found = check_simpson(load_scores(campaign))
    # The client's number has 36 values: those are names, not subgroups.
    assert found.fields == ["region", "segment"]
    assert [(each.criterion.key, each.field) for each in found.found] == [
        ("tone", "segment"),
        ("total", "segment"),
    ]
    told = found.found[0]
    assert (told.higher.model_version.label, told.lower.model_version.label) == ("plain", "formal")
    # Two on 24 rows, minus two on 12.
    assert told.overall == pytest.approx(2 / 3)
    assert told.sentence.startswith(
        "Tone: overall plain is 0.67 above formal (36 items), but not for every segment: institutional 2.00 "
        "below (12 items); p"
    )


def fixes_of(campaign: Campaign, person: User) -> str:
    return client_of(person).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/").text


def test_the_page_and_the_api_say_it_and_lead_to_the_items(campaign: Campaign, manager: User) -> None:
    path = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    page = client_of(manager).get(f"{path}what-to-fix/").text
    assert "a difference changes direction inside subgroups" in page
    assert "institutional 2.00 below (12 items)" in page
    told = (
        program_of(manager)
        .get(f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/simpson/")
        .json()["results"]
    )
    assert [(row["criterion"], row["kind"], row["subgroups"][0]["subgroup"]) for row in told] == [
        ("tone", "subgroup", "institutional"),
        ("total", "subgroup", "institutional"),
    ]
    inside = client_of(manager).get(f"{path}what-to-fix/?{told[0]['view']}").text
    assert "a filtered view of 12 of 36 items" in inside
    # Inside one subgroup there is nothing to turn round.
    assert "changes direction inside" not in inside


def test_no_difference_and_no_field_are_said(
    project: Project,
    panel: Sequence[User],
    manager: User,
) -> None:
    plain = make_campaign(project, panel, rows=2, name="No fields", texts={"x": "X {n}", "y": "Y {n}"})
    for person in panel:
        review_all(plain, person, {})
    page = client_of(manager).get(f"/projects/{project.slug}/results/{plain.pk}/what-to-fix/").text
    assert "Simpson’s paradox check</a>: not tested (no field of the examples has 2 to 12 values)." in page
    assert check_simpson(load_scores(plain)).found == []


def test_of_a_large_campaign_a_job_finds_the_same(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/simpson/"
    page = f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/"
    assert "not tested (not computed yet)." in client_of(manager).get(page).text
    assert "kind “comparison”" in program_of(manager).get(path).text
    computed(campaign)
    assert "institutional 2.00 below (12 items)" in client_of(manager).get(page).text
    told = program_of(manager).get(path).json()["results"]
    assert [row["sentence"] for row in told] == [
        each.sentence for each in check_simpson(load_scores(campaign)).found
    ]


def test_strata_that_are_too_small_to_look_at_are_named(
    project: Project, panel: Sequence[User], manager: User
) -> None:
    campaign = make_segmented(project, panel, rows=27)
    review_with_paradox(campaign, panel, rows=27)
    found = check_simpson(load_scores(campaign))
    # Nine institutional rows, and nothing to compare the eighteen others with.
    assert (found.fields, found.left_out) == (["region"], ("segment",))
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/").text
    )
    assert "Too few items to test: segment." in page


def test_where_every_field_has_strata_too_small_nothing_is_said_to_be_clear(
    project: Project, panel: Sequence[User], manager: User
) -> None:
    campaign = make_segmented(project, panel, rows=12)
    review_with_paradox(campaign, panel, rows=12)
    reason = "no field has two values with 10 items or more of two candidates"
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/").text
    )
    assert f"not tested ({reason})." in page


def test_fields_that_divide_alike_are_one_and_those_of_a_candidate_none(
    project: Project, panel: Sequence[User], manager: User
) -> None:
    def fields(row: int) -> dict[str, object]:
        segment = segment_of(row)
        return {
            "published": {"Plain": {"rank": 2 if segment == INSTITUTIONAL else 1}},
            "segment": segment,
            "segment_code": "I" if segment == INSTITUTIONAL else "R",
        }

    campaign = make_segmented(project, panel, rows=ROWS, fields=fields)
    review_with_paradox(campaign, panel, rows=ROWS)
    told = check_simpson(load_scores(campaign))
    assert [(each.criterion.key, each.field, each.alike) for each in told.found] == [
        ("tone", "segment", ("segment_code",)),
        ("total", "segment", ("segment_code",)),
    ]
    assert told.of_candidates == ("published.Plain.rank",)
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/").text
    )
    assert "named after a candidate and describe its answer: published.Plain.rank." in page
    assert "segment_code divides the items alike" in page


def test_many_are_folded_by_field(campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalapp.analysis.comparison.simpson.MOST_TOLD", 1)
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/what-to-fix/").text
    )
    before, after = page.split("<summary>1 more</summary>")
    assert "Tone: overall" in before and "Total: overall" not in before
    assert "Total: overall" in after and after.count("Inside segment") == 1


def test_a_paradox_says_which_way_is_better(campaign: Campaign) -> None:
    told = check_simpson(load_scores(campaign)).found[0]
    told.criterion.lower_is_better = True
    assert told.sentence.startswith("Tone (lower is better): overall plain is 0.67 above formal")
