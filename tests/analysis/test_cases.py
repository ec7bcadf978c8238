"""Every number leads to its cases, and those lists hold exactly the right outputs."""

import re
from html import unescape

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.scoring.services import save_rule_check
from tests.cast import client_of, make_project
from tests.factories import YES_NO, answers, corrected, make_campaign, review_all, run_scoring, tagged, walk
from tests.kept_cast import Cast, again
from tests.results_pages import results_of

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    project, people = cast.project, [cast.reviewer, cast.other_reviewer]
    campaign = make_campaign(project, people, rows=4)
    save_rule_check(
        project=project, name="Next step", kind="contains", params={"texts": ["next step"]}, by=cast.manager
    )
    run_scoring(campaign)
    said = {
        ("formal", 1): answers(tone=1),
        ("formal", 2): answers(tone=2, clarity="na"),
        ("formal", 3): answers(tone=5, error=1),
    }
    review_all(campaign, people[0], said)
    review_all(campaign, people[1], {("formal", 1): answers(tone=2), ("formal", 2): answers(tone=4)})
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture(scope="module")
def one_row(cast: Cast) -> Campaign:
    """In a project of its own; nobody has reviewed it."""
    project = make_project("One row", manager=cast.manager, reviewer=cast.reviewer)
    return make_campaign(project, [cast.reviewer], rows=1)


def _rows(client: Client, campaign: Campaign, query: str) -> list[tuple[str, int]]:
    """Label and row number of the outputs on the list."""
    page = client.get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/?{query}")
    assert page.status_code == 200, query
    numbers = dict(campaign.items.values_list("pk", "example__row_number"))
    return [(row.candidate.model_version.label, numbers[row.item_id]) for row in page.context["rows"]]


def test_filters_pick_exactly_their_outputs(project: Project, manager: User, campaign: Campaign) -> None:
    client = client_of(manager)
    formal, plain = campaign.candidates.order_by("position")
    rule = project.rule_checks.get()
    every = [(label, row) for row in range(1, 5) for label in ("formal", "plain")]

    assert sorted(_rows(client, campaign, "")) == sorted(every)
    assert sorted(_rows(client, campaign, f"candidate={plain.pk}")) == [("plain", n) for n in range(1, 5)]
    of_formal = f"candidate={formal.pk}&criterion="
    assert _rows(client, campaign, of_formal + "tone&low=1") == [("formal", 1), ("formal", 2)]
    assert _rows(client, campaign, of_formal + "tone&level=5") == [("formal", 3)]
    assert _rows(client, campaign, of_formal + "clarity&na=1") == [("formal", 2)]
    assert _rows(client, campaign, of_formal + f"{YES_NO}&level=1") == [("formal", 3)]
    # Reviewers gave 2 and 4 to row 2, neighbours to rows 1 and 3, the same to row 4.
    assert _rows(client, campaign, of_formal + "tone&differ=1") == [("formal", n) for n in (2, 1, 3)]
    # Lowest mean first: row 1 has 1.5, row 2 has 3, row 4 has 4, row 3 has 4.5.
    assert _rows(client, campaign, of_formal + "tone") == [("formal", n) for n in (1, 2, 4, 3)]
    assert sorted(_rows(client, campaign, f"rule={rule.pk}&failed=1")) == [("formal", n) for n in range(1, 5)]
    assert sorted(_rows(client, campaign, f"rule={rule.pk}")) == sorted(every)
    # The formal answers are the references and take the top quarter; two people rate row 1 low.
    assert _rows(client, campaign, "criterion=tone&disagreement=rougeL") == [("formal", 1)]
    assert sorted(_rows(client, campaign, "reviewer=1")) == sorted(every)


def test_a_reason_leads_to_the_outputs_that_got_it(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=2)
    tag = campaign.rubric_version.criteria.get(key="tone").reason_tags.get(label="too formal")
    review_all(campaign, reviewer, {("formal", 2): tagged(answers(tone=2), tone=[tag.key])})

    assert _rows(client_of(manager), campaign, f"tag={tag.pk}") == [("formal", 2)]
    page = client_of(manager).get(f"/projects/{empty_project.slug}/results/{campaign.pk}/")
    [count] = page.context["comparison"].rows[0].tags
    assert (count.label, count.count, count.share.n) == ("too formal", 1, 2)


def test_every_link_of_the_comparison_opens(project: Project, manager: User, campaign: Campaign) -> None:
    client = client_of(manager)
    page = results_of(client, f"/projects/{project.slug}/results/{campaign.pk}/")
    cases = f"/projects/{project.slug}/results/{campaign.pk}/cases/"
    links = sorted({unescape(link) for link in re.findall(r'href="([^"]+)"', page) if link.startswith(cases)})
    topics = set(re.findall(r'href="(/help/[^"]+)"', page))

    assert len(links) > 30
    assert [link for link in links if client.get(link).status_code != 200] == []
    assert topics and [each for each in topics if client.get(each).status_code != 200] == []


@pytest.mark.parametrize(
    "query",
    [
        "candidate=abc", "candidate=0", "candidate=999999", "candidate=99999999999999999999",
        "criterion=nothing",
        "criterion=tone&level=99999999999999999999", "criterion=tone&level=-1", "level=1", "low=1", "na=1",
        "disagreement=rougeL", "disagreement=nothing&criterion=tone", f"criterion={YES_NO}&low=1", "rule=1e3",
        "tag=999999", "reviewer=99", "metric=nothing",
    ],
)  # fmt: skip
def test_a_filter_that_names_nothing_here_is_missing(one_row: Campaign, manager: User, query: str) -> None:
    page = client_of(manager).get(f"/projects/{one_row.project.slug}/results/{one_row.pk}/cases/?{query}")
    assert page.status_code == 404


def test_a_nul_in_the_address_is_refused(one_row: Campaign, manager: User) -> None:
    address = f"/projects/{one_row.project.slug}/results/{one_row.pk}/cases/?criterion=%00"
    assert client_of(manager).get(address).status_code in (400, 404)


def test_ids_of_other_projects_are_missing(
    empty_project: Project, other_project: Project, manager: User, stranger: User, reviewer: User
) -> None:
    foreign = make_campaign(other_project, [stranger], rows=1)
    own = make_campaign(empty_project, [reviewer], rows=1)
    draft = make_campaign(empty_project, [reviewer], rows=1, name="Draft", texts={"other": "A {n}."})
    Campaign.objects.filter(pk=draft.pk).update(state=CampaignState.DRAFT)
    client, base = client_of(manager), f"/projects/{empty_project.slug}/results"
    item, foreign_candidate = foreign.items.get(), foreign.candidates.first()

    for address in (
        f"{base}/{foreign.pk}/", f"{base}/{foreign.pk}/cases/", f"{base}/{foreign.pk}/table.csv",
        f"{base}/{foreign.pk}/cases/{item.pk}/", f"{base}/{own.pk}/cases/{item.pk}/",
        f"{base}/{own.pk}/cases/?candidate={foreign_candidate.pk}", f"{base}/{draft.pk}/",
        f"/projects/{other_project.slug}/results/{foreign.pk}/",
    ):  # fmt: skip
        assert client.get(address).status_code == 404, address


def test_a_case_shows_all_that_was_said_under_pseudonyms(
    empty_project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=1)
    run_scoring(campaign)
    said = corrected(answers(tone=2), "Portfolio 1 holds 60% bonds.", "Mixed up <b>bonds</b>.")
    review_all(campaign, other_reviewer, {"formal": said})
    review_all(campaign, reviewer, {"formal": answers(tone=5)})
    address = f"/projects/{empty_project.slug}/results/{campaign.pk}/cases/{campaign.items.get().pk}/"

    page = client_of(manager).get(address)

    text = page.content.decode()
    formal = page.context["case"].outputs[0]
    assert [given.name for given in formal.reviews] == ["Reviewer 1", "Reviewer 2"]
    assert [shown for criterion, shown in formal.reviews[0].answers if criterion.key == "tone"] == ["2"]
    assert [(change.kind, change.text) for change in formal.reviews[0].correction.changes] == [
        ("same", "Portfolio 1 holds 60%"),
        ("removed", "shares and pays 1% a year."),
        ("added", "bonds."),
    ]
    assert {metric.label: metric.value for metric in formal.metrics}["ROUGE-L"] == 1.0
    assert "Summarise portfolio 1." in text
    assert "Mixed up &lt;b&gt;bonds&lt;/b&gt;." in text
    for person in (reviewer, other_reviewer):
        assert person.email not in text
    assert other_reviewer.name not in text


def test_pseudonyms_are_the_same_on_every_page_and_under_every_filter(
    empty_project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=2)
    review_all(campaign, other_reviewer, {})
    review_all(campaign, reviewer, {})
    client, base = client_of(manager), f"/projects/{empty_project.slug}/results/{campaign.pk}"

    comparison = client.get(f"{base}/").context["reviewers"]
    case = client.get(f"{base}/cases/{campaign.items.first().pk}/").context["case"]

    assert [row.name for row in comparison()] == ["Reviewer 1", "Reviewer 2"]
    by_name = {given.name: given.review.reviewer_id for given in case.outputs[0].reviews}
    assert by_name == {"Reviewer 1": other_reviewer.pk, "Reviewer 2": reviewer.pk}


def test_who_still_reviews_blind_is_warned_before_looking(
    empty_project: Project, engineer: User, manager: User
) -> None:
    campaign = make_campaign(empty_project, [engineer], rows=1)
    address = f"/projects/{empty_project.slug}/results/{campaign.pk}/"

    assert "You review this campaign blind" in client_of(engineer).get(address).content.decode()
    assert "You review this campaign blind" not in client_of(manager).get(address).content.decode()


def test_an_amended_review_shows_what_it_says_now(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    from evalapp.reviews.services import amend_review

    campaign = make_campaign(empty_project, [reviewer], rows=1)
    review_all(campaign, reviewer, {})
    review = campaign.reviews.get(item_output__candidate__model_version__label="formal")
    amend_review(review=review, by=reviewer, answers=answers(tone=1), revision=1)

    assert _rows(client_of(manager), campaign, "criterion=tone&low=1") == [("formal", 1)]
    assert not list(walk(campaign, reviewer))


def test_shares_are_shown_in_percent_wherever_they_stand(
    project: Project, manager: User, campaign: Campaign
) -> None:
    client, address = client_of(manager), f"/projects/{project.slug}/results/{campaign.pk}/"
    # With four items each the two reviewers are no panel.
    Project.objects.update(population="reviewers")

    def words(path: str) -> str:
        return " ".join(re.sub("<[^>]+>", " ", client.get(address + path).content.decode()).split())

    comparison, cases = words("who-is-better/"), words(f"cases/?criterion={YES_NO}")
    # One of four formal outputs was called wrong by one of its two reviewers; none passes the rule check.
    assert re.search(r"12% \(\d%–\d\d%\)", comparison)
    rules = words("what-to-fix/")
    assert "0% (0%–49%)" in rules and "100% (51%–100%)" in rules
    assert "0–1" not in comparison + rules
    assert re.search(r"Reviewer 1 8( [\d.]+){4} 12%", words("can-i-trust-it/"))
    assert re.search(r"formal( [\d.]+){4} 50%", cases)
    assert "share yes, 0–1" not in words("decide/")


def _case_links(client: Client, address: str) -> dict[str, str]:
    """The addresses of Previous and Next by their relation; those above and below the case are alike."""
    page = client.get(address).content.decode()
    links = re.findall(r'<a class="button" href="([^"]+)" rel="(prev|next)">', page)
    assert links[: len(links) // 2] == links[len(links) // 2 :]
    return {relation: unescape(link) for link, relation in links}


def test_a_row_opens_its_candidate_and_the_neighbours_are_those_of_the_list(
    project: Project, manager: User, campaign: Campaign
) -> None:
    client, base = client_of(manager), f"/projects/{project.slug}/results/{campaign.pk}/cases/"
    formal, plain = campaign.candidates.order_by("position")
    items = dict(campaign.items.values_list("example__row_number", "pk"))
    query = f"?candidate={formal.pk}&criterion=tone"
    page = client.get(base + query).content.decode()
    rows = [unescape(link) for link in re.findall(r'class="excerpt"><a href="([^"]+)"', page)]
    # Lowest mean first, as the list's own test says.
    assert rows == [f"{base}{items[n]}/{query}#candidate-{formal.pk}" for n in (1, 2, 4, 3)]
    case = client.get(rows[0].partition("#")[0]).content.decode()
    assert f'id="candidate-{formal.pk}"' in case
    assert f'href="{base}{query.replace("&", "&amp;")}">Cases</a>' in case

    assert _case_links(client, rows[0]) == {"next": rows[1]}
    assert _case_links(client, rows[2]) == {"prev": rows[1], "next": rows[3]}
    assert _case_links(client, rows[3]) == {"prev": rows[2]}
    # In a list of both candidates an item comes once, and a case outside of the list has no neighbours.
    assert _case_links(client, f"{base}{items[1]}/{query}&level=5") == {}
    both = _case_links(client, f"{base}{items[2]}/?criterion=tone")
    assert both["next"] == f"{base}{items[3]}/?criterion=tone#candidate-{plain.pk}"
    assert _case_links(client, f"{base}{items[2]}/") == {
        "prev": f"{base}{items[1]}/", "next": f"{base}{items[3]}/"
    }  # fmt: skip
    assert client.get(f"{base}{items[1]}/?candidate=99999").status_code == 404
    assert client.get(f"{base}{items[1]}/?level=x").status_code == 404


def test_a_cut_output_ends_in_an_ellipsis(empty_project: Project, manager: User, reviewer: User) -> None:
    campaign = make_campaign(
        empty_project, [reviewer], rows=1, texts={"long": "word " * 60, "short": "A  {n}."}
    )
    page = client_of(manager).get(f"/projects/{empty_project.slug}/results/{campaign.pk}/cases/")
    long, short = (row.excerpt for row in page.context["rows"])
    assert long == ("word " * 60)[:159] + "…"
    assert short == "A 1."
