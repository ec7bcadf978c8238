"""Answers with placeholders for personal data, in projects that mask it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db import transaction

from evalapp.campaigns.models import Assignment, Campaign
from evalapp.datasets.models import Example
from evalapp.datasets.vault import Vault


def masked_answers(campaign: Campaign, assignment: Assignment, answers: Any) -> Any:
    """The answers of either review kind, with the placeholders of the assignment's row in comment,
    correction, texts and comments of spans. Equal answers are masked equally.
    """
    project = campaign.project
    if not project.masks_personal_data:
        return answers
    texts = [text for text in _texts(answers) if isinstance(text, str) and text]
    if not texts:
        return answers
    example = Example.objects.get(items=assignment.item_id)
    vault = Vault(project)
    with transaction.atomic():
        vault.hold(example)
        masked = dict(zip(texts, vault.masked_answers(example, texts), strict=True))
        vault.store()
    changes: dict[str, Any] = {"comment": masked.get(answers.comment, answers.comment)}
    if getattr(answers, "correction", None) is not None:
        changes["correction"] = masked.get(answers.correction, answers.correction)
    if hasattr(answers, "texts"):
        changes["texts"] = {key: masked.get(text, text) for key, text in answers.texts.items()}
        changes["spans"] = {
            key: [mark._replace(comment=masked.get(mark.comment, mark.comment)) for mark in marks]
            for key, marks in answers.spans.items()
        }
    return replace(answers, **changes)


def _texts(answers: Any) -> Iterator[Any]:
    yield answers.comment
    yield getattr(answers, "correction", None)
    yield from getattr(answers, "texts", {}).values()
    for marks in getattr(answers, "spans", {}).values():
        yield from (mark.comment for mark in marks)
