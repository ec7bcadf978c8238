"""Tokens and cost beside the metrics, and where a price is set."""

from decimal import Decimal

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.usage import NO_PRICE, NO_TOKENS, usage_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.registry.models import TokenPrice
from evalapp.registry.prices import set_price
from evalapp.runs.models import Output
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all, run_scoring

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(project: Project, reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer], rows=2)
    review_all(campaign, reviewer, {})
    run_scoring(campaign)
    for position, output in enumerate(
        Output.objects.filter(candidate__label="formal").order_by("example__row_number")
    ):
        Output.objects.filter(pk=output.pk).update(prompt_tokens=1000, completion_tokens=100 + 100 * position)
    return campaign


def test_tokens_and_cost_are_means_over_items_at_the_price_that_is_set(
    campaign: Campaign, manager: User
) -> None:
    formal, plain = usage_of(load_scores(campaign))
    assert (formal.prompt_tokens.value, formal.completion_tokens.value) == (1000, 150)
    assert formal.cost.reason == NO_PRICE and formal.lacks_price
    assert plain.completion_tokens.reason == NO_TOKENS

    project = campaign.project
    set_price(
        project=project, model_version=None, input_price=Decimal("0.5"), output_price=Decimal(2),
        currency="usd", by=manager
    )  # fmt: skip
    formal, plain = usage_of(load_scores(campaign))
    # (1000 × 0.5 + 150 × 2) / a million, a thousand times.
    assert formal.cost.value == pytest.approx(0.8)
    assert (formal.cost.n, formal.currency) == (2, "USD")
    assert formal.cost.low is not None
    assert "input:0.500000|output:2.000000|currency:USD" in formal.cost.signature
    assert plain.cost.reason == NO_TOKENS and not plain.lacks_price

    set_price(
        project=project, model_version=formal.candidate.model_version, input_price=Decimal(0),
        output_price=Decimal(4), currency="EUR", by=manager
    )  # fmt: skip
    assert usage_of(load_scores(campaign))[0].cost.value == pytest.approx(0.6)


def test_the_page_shows_them_beside_the_metrics_and_says_where_to_set_a_price(
    campaign: Campaign, manager: User
) -> None:
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/"
    page = client_of(manager).get(address).text
    assert "Completion tokens" in page and "No price is set" in page
    assert f'href="/projects/{campaign.project.slug}/settings/prices/">Set a price' in page
    told = (
        program_of(manager)
        .get(f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/comparison/")
        .json()["usage"]
    )
    assert told[0]["completion_tokens"]["value"] == 150
    assert told[0]["cost_per_thousand"]["reason"] == NO_PRICE


def test_a_price_is_set_replaced_and_removed(campaign: Campaign, manager: User, engineer: User) -> None:
    project = campaign.project
    page = f"/projects/{project.slug}/settings/prices/"
    version = campaign.candidates.all()[0].model_version
    body = {"model_version": version.pk, "input_price": "1.25", "output_price": "10", "currency": "eur"}
    assert client_of(engineer).post(page, body).status_code == 302
    assert client_of(engineer).post(page, {**body, "input_price": "1.5"}).status_code == 302
    price = TokenPrice.objects.get()
    assert (price.input_price, price.currency) == (Decimal("1.5"), "EUR")
    assert ">1.5</td>" in client_of(manager).get(page).text
    assert client_of(manager).post(f"{page}{price.pk}/remove/").status_code == 302
    assert not TokenPrice.objects.exists()
    actions = AuditEvent.objects.filter(action__startswith="token_price").order_by("pk")
    assert [event.action for event in actions] == [
        "token_price.set",
        "token_price.set",
        "token_price.removed",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_price", "-1"),
        ("output_price", "NaN"),
        ("output_price", "1e9"),
        ("currency", "€€€"),
        ("currency", "EU"),
    ],
)
def test_an_odd_price_is_refused_at_its_field(
    field: str, value: str, campaign: Campaign, manager: User
) -> None:
    project = campaign.project
    body = {"input_price": "1", "output_price": "1", "currency": "EUR", field: value}
    page = client_of(manager).post(f"/projects/{project.slug}/settings/prices/", body)
    assert page.status_code == 400
    assert f'id="id_{field}_error"' in page.text
    problem = problem_in(program_of(manager).put(f"projects/{project.slug}/models/prices/", body), 400)
    assert list(problem["fields"]) == [field]
    assert not TokenPrice.objects.exists()


def test_the_api_sets_and_lists_prices(
    campaign: Campaign, manager: User, stranger: User, other_project: Project
) -> None:
    project = campaign.project
    path = f"projects/{project.slug}/models/prices/"
    program = program_of(manager)
    made = program.put(path, {"input_price": "1", "output_price": "2", "currency": "EUR"})
    assert made.status_code == 200 and made.json()["model_version"] is None
    assert [row["output_price"] for row in program.get(path).json()["results"]] == ["2.000000"]
    assert program.ask("DELETE", f"{path}{made.json()['id']}/").status_code == 204
    with pytest.raises(InvalidError):
        set_price(
            project=other_project, model_version=campaign.candidates.all()[0].model_version,
            input_price=Decimal(1), output_price=Decimal(1), currency="EUR", by=stranger,
        )  # fmt: skip
