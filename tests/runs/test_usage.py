"""What each candidate of a run took: on the run's page and by the API."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.registry.prices import set_price
from evalapp.runs.models import Output
from evalapp.runs.usage import candidate_usage
from tests.api.conftest import program_of
from tests.factories import make_candidates, make_outputs, make_version

pytestmark = pytest.mark.django_db


def test_tokens_seconds_and_cost_are_told_by_candidate(
    project: Project, engineer: User, client_for: Callable[[User | None], Client]
) -> None:
    version = make_version(project, rows=4)
    one, other = make_candidates(project, ["one", "other"])
    run = make_outputs(version, {one: "An answer.", other: "Another."})
    for position, output in enumerate(Output.objects.filter(candidate=one).order_by("pk")):
        Output.objects.filter(pk=output.pk).update(
            prompt_tokens=100, completion_tokens=10 * (position + 1), seconds=1.0 + position,
            finish_reason="length" if position == 3 else "stop",
        )  # fmt: skip
    refused = Output.objects.filter(candidate=other).first()
    assert refused is not None
    Output.objects.filter(pk=refused.pk).update(finish_reason="refused", text="")
    first, second = candidate_usage(run)
    assert (first.answers, first.refused, first.cut) == (4, 0, 1)
    assert (first.prompt_tokens, first.completion_tokens, first.seconds) == (100, 25, 2.5)
    assert first.slow_seconds == pytest.approx(3.85)
    assert (first.cost, first.currency) == (None, "")
    assert (second.answers, second.refused, second.completion_tokens, second.seconds) == (3, 1, None, None)
    address = reverse("run_detail", args=[project.slug, run.pk])
    assert "Set a price" in client_for(engineer).get(address).content.decode()
    set_price(
        project=project, model_version=None, input_price=Decimal(1), output_price=Decimal(2), currency="EUR",
        by=engineer
    )  # fmt: skip
    # 400 tokens of prompt at 1, 100 of answer at 2 a million.
    assert candidate_usage(run)[0].cost == Decimal("0.0006")
    page = client_for(engineer).get(address).content.decode()
    assert "0.0006" in page
    assert "95% under 3.85" in page
    assert "tokens not counted" in page
    told = program_of(engineer).get(f"projects/{project.slug}/runs/{run.pk}/usage/").json()["candidates"]
    assert (told[0]["cost"], told[0]["seconds"], told[1]["cost"]) == ("0.000600", 2.5, None)
