"""Rated answers are decided on like all other feedback, and say where they came from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.exports.models import Export, ExportRow, RowDecision, RowKind
from evalapp.exports.services import decide_row, start_export
from evalapp.exports.tasks import write_export
from evalapp.exports.writing import export_folder
from tests.factories import answers, make_campaign, make_proposed_rows, review_all

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]


@pytest.fixture
def campaign(project: Project, reviewer: User, settings: object, tmp_path: Path) -> Campaign:
    """Row 1: "formal" bad, "plain" good; row 2: "formal" neither, "plain" good."""
    settings.ARTIFACTS_FOLDER = tmp_path  # type: ignore[attr-defined]
    campaign = make_campaign(project, [reviewer], rows=2)
    good = answers(accuracy=5, clarity=5, tone=5, personalization=5)
    bad = answers(accuracy=1, clarity=2, tone=1, personalization=1)
    fair = answers(accuracy=3, clarity=3, tone=3, personalization=3)
    review_all(campaign, reviewer, {("formal", 1): bad, ("formal", 2): fair, "plain": good})
    return campaign


def rated_rows(export: Export) -> list[ExportRow]:
    rows = export.rows.filter(kind=RowKind.RATED).select_related("export__project", "review", "chosen_output")
    return list(rows.order_by("pk"))


def judged(export: Export) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in (export_folder(export) / "rated.jsonl").read_text().splitlines()]


def written(export: Export, by: User) -> Export:
    write_export(start_export(export=export, by=by).pk)
    export.refresh_from_db()
    return export


def test_only_accepted_ones_are_exported_with_where_they_came_from(campaign: Campaign, manager: User) -> None:
    export = make_proposed_rows(campaign, manager)
    bad, good, neither, other = rated_rows(export)
    assert [(row.is_good, row.is_included) for row in (bad, good, neither, other)] == [
        (False, True), (True, True), (None, False), (True, True),
    ]  # fmt: skip
    decide_row(row=bad, decision="accepted", by=manager)
    decide_row(row=good, decision="rejected", by=manager)
    # The fourth waits for its decision, and so is left out.
    (line,) = judged(written(export, manager))
    assert line["label"] is False
    assert line["completion"] == [{"role": "assistant", "content": bad.chosen_text}]
    told = line["provenance"]
    assert (told["export_row"], told["chosen_output"]) == (bad.pk, bad.chosen_output_id)
    assert (told["decision"], told["decided_by"]) == ("accepted", manager.pk)
    version = export.dataset_version
    assert version is not None
    (example,) = version.examples.filter(split="train")
    assert example.rated == [{"answer": bad.chosen_text, "good": False}]
    bad.refresh_from_db()
    assert bad.training_example == example


def test_a_rejected_training_answer_is_not_learned_as_a_good_one_either(
    campaign: Campaign, manager: User
) -> None:
    export = make_proposed_rows(campaign, manager)
    bad, good, *_ = rated_rows(export)
    answer = export.rows.select_related("review", "export__project").get(
        kind=RowKind.ANSWER, chosen_output=good.chosen_output_id
    )

    def decisions() -> list[str]:
        return [row.decision for row in rated_rows(export)[:2]]

    decide_row(row=answer, decision="rejected", by=manager)
    assert decisions() == [RowDecision.PENDING, RowDecision.REJECTED]
    decide_row(row=answer, decision="accepted", by=manager)
    assert decisions() == [RowDecision.PENDING, RowDecision.PENDING]
    assert bad.is_good is False


def test_a_rated_answer_is_not_edited(campaign: Campaign, manager: User) -> None:
    row = rated_rows(make_proposed_rows(campaign, manager))[0]
    with pytest.raises(InvalidError, match="cannot be edited"):
        decide_row(row=row, decision="edited", by=manager, text="Something else.")
    with pytest.raises(IntegrityError, match="export_row_rated_is_judged"), transaction.atomic():
        ExportRow.objects.filter(pk=row.pk).update(is_good=None)


def test_the_page_shows_and_decides_them(campaign: Campaign, manager: User, client_for: ClientFor) -> None:
    export = make_proposed_rows(campaign, manager)
    row = rated_rows(export)[0]
    client = client_for(manager)
    listed = client.get(reverse("export_detail", args=[export.project.slug, export.pk]), {"kind": "rated"})
    assert "Bad: mean 1.2 of 1 review" in listed.content.decode()
    address = reverse("export_row", args=[export.project.slug, export.pk, row.pk])
    page = client.get(address).content.decode()
    assert "Bad answer" in page
    assert "Accept as bad" in page
    assert client.post(address, {"decision": "accepted"}).status_code == 302
    row.refresh_from_db()
    assert (row.decision, row.decided_by) == (RowDecision.ACCEPTED, manager)
