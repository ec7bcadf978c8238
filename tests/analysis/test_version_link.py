"""Two versions of a rubric are linked by the outputs that the same people scored under both."""

from dataclasses import replace

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.version_link import link_versions
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.rubrics.drafts import drafts_of
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import save_version
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all

ROWS = 8


def _next_version(before: RubricVersion, **changes: object) -> RubricVersion:
    """The same criteria but for what ``changes`` says of tone."""
    drafts = [replace(each, **changes) if each.key == "tone" else each for each in drafts_of(before)]
    return save_version(rubric=before.rubric, criteria=drafts, by=None)


def _again(campaign: Campaign, version: RubricVersion, reviewers: list[User]) -> Campaign:
    """Another campaign on the same outputs."""
    design = CampaignDesign(
        name="Anchors",
        rubric_version=version,
        dataset_version=campaign.dataset_version,
        split=campaign.split,
        candidates=[each.model_version for each in campaign.candidates.all()],
        overlap=len(reviewers),
        reviewers=reviewers,
    )
    return open_campaign(campaign=create_campaign(project=campaign.project, design=design, by=None), by=None)


def _tones(offset: int) -> dict[tuple[str, int], object]:
    """A spread of tones over the outputs, lower by ``offset`` than the first time, but for those of row 1."""
    return {
        (label, row): answers(tone=2 + (row + place) % 4 - (offset if row > 1 else 0))
        for place, label in enumerate(("formal", "plain"))
        for row in range(1, ROWS + 1)
    }


@pytest.fixture
def first(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=ROWS)
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, _tones(0))
    return campaign


def test_a_version_that_reads_lower_is_told_from_one_that_reads_alike(
    first: Campaign, reviewer: User, other_reviewer: User
) -> None:
    later = _next_version(first.rubric_version, help_text="Plain words only.")
    second = _again(first, later, [reviewer, other_reviewer])
    for person in (reviewer, other_reviewer):
        review_all(second, person, _tones(1))

    link = link_versions(first.rubric_version, later)

    assert (link.outputs, link.reviewers) == (2 * ROWS, 2)
    found = {each.after.key: each for each in link.criteria}
    assert list(found) == ["accuracy", "clarity", "tone", "personalization"]
    assert found["tone"].reads == "lower"
    assert found["tone"].difference.difference.value == pytest.approx(-(ROWS - 1) / ROWS)
    readings = {each.level: (each.n, each.mean) for each in found["tone"].readings}
    assert readings == {2: (8, 1), 3: (8, 2.25), 4: (8, 3.25), 5: (8, 4)}
    assert (found["tone"].equal, found["tone"].pairs) == (4, 4 * ROWS)
    assert found["accuracy"].difference.difference.value == 0
    assert (found["accuracy"].equal, found["accuracy"].pairs) == (4 * ROWS, 4 * ROWS)
    assert link.only_before == link.only_after == ["Material factual error"]


def test_another_range_is_compared_on_one_to_five(
    first: Campaign, reviewer: User, other_reviewer: User
) -> None:
    later = _next_version(first.rubric_version, maximum=9, level_descriptions={}, low_threshold=None, tags=())
    second = _again(first, later, [reviewer, other_reviewer])
    doubled = {key: answers(tone=2 * said.scores["tone"] - 1) for key, said in _tones(0).items()}
    for person in (reviewer, other_reviewer):
        review_all(second, person, doubled)

    tone = next(
        each for each in link_versions(first.rubric_version, later).criteria if each.after.key == "tone"
    )

    assert tone.difference.difference.value == 0
    assert tone.equal is None


def test_other_people_or_other_outputs_link_nothing(
    project: Project, first: Campaign, reviewer: User, other_reviewer: User, engineer: User
) -> None:
    later = _next_version(first.rubric_version, help_text="Plain words only.")
    elsewhere = make_campaign(project, [reviewer], rows=2, name="Elsewhere", rubric_version=later,
                              texts={"another": "A {n}."})  # fmt: skip
    review_all(elsewhere, reviewer, {})
    by_another = _again(first, later, [engineer])
    review_all(by_another, engineer, _tones(1))

    link = link_versions(first.rubric_version, later)

    assert link.outputs == 0
    assert [each.reads for each in link.criteria] == ["unknown"] * 4


def test_the_page_names_what_to_do_and_who_may_see_it(
    project: Project, first: Campaign, manager: User, reviewer: User, stranger: User
) -> None:
    rubric = first.rubric_version.rubric
    address = f"/projects/{project.slug}/campaigns/rubrics/{rubric.pk}/links/"
    assert "needs two versions" in client_of(manager).get(address).text
    later = _next_version(first.rubric_version, help_text="Plain words only.")
    second = _again(first, later, [reviewer])

    page = client_of(manager).get(address)

    assert page.context["link"].outputs == 0
    assert "No output has been scored" in page.text
    assert first.name in page.text
    review_all(second, reviewer, _tones(1))
    text = client_of(manager).get(f"{address}?from=1&to=2").text
    assert "5 → 4.0" in text
    assert client_of(manager).get(f"{address}?from=2&to=1").context["link"] is None
    assert client_of(manager).get(f"{address}?from=x&to=99").context["link"] is not None
    assert client_of(reviewer).get(address).status_code == 403
    assert client_of(stranger).get(address).status_code == 404
