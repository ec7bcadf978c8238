"""What the page of a comparison shows, as HTML and as the JSON that its script swaps in."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac

from evalapp.accounts.models import User
from evalapp.accounts.review_keys import OF_RATING, keys_of
from evalapp.campaigns.models import Campaign, CampaignReviewer, Method
from evalapp.judgements.models import Choice, Judgement
from evalapp.judgements.queries import ComparisonTask, verdict_of
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.presentation import progress_payload
from evalapp.templatetags.text import render_markdown


def judgement_url(assignment_key: UUID, slot: int) -> str:
    return reverse("judgement_task", args=[assignment_key, slot])


def comparison_payload(
    *, url: str, task: ComparisonTask, campaign_reviewer: CampaignReviewer, judgement: Judgement | None = None
) -> dict[str, Any]:
    """A comparison as the page's script takes it; ``judgement``: what was submitted here before."""
    return {
        "url": url,
        "client_id": str(uuid4()),
        "revision": judgement.revision if judgement else 0,
        "source_html": render_to_string("reviews/source.html", {"task": task}),
        "sides": sides_of(task),
        "answers": verdict_of(judgement).as_dict() if judgement else None,
        "draft": task.draft.as_dict() if task.draft else None,
        "draft_seconds": task.draft_seconds,
        "draft_revision": task.draft_revision,
        "draft_saved_at": task.draft_saved_at.isoformat() if task.draft_saved_at else None,
        "progress": progress_payload(campaign_reviewer),
    }


def sides_of(task: ComparisonTask) -> list[dict[str, Any]]:
    """The answers as they stand."""
    return [
        {
            "html": render_markdown(answer.text),
            "text": answer.text,
            "candidate": answer.candidate if answer.candidate_label else "",
        }
        for answer in task.answers
    ]


def comparison_config(
    *, campaign: Campaign, user: User, task: dict[str, Any], fields: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What the page's script needs to know; it holds no secret and no id."""
    return {
        "task": task,
        "is_ranking": campaign.method == Method.RANKING,
        "next_url": reverse("judgement_next", args=[campaign.key]),
        "undo_url": reverse("judgement_undo", args=[campaign.key]),
        "keys_url": reverse("review_keys"),
        "keys": keys_of(user, without=OF_RATING),
        # Drafts of two people on one browser must not meet; the real id stays here.
        "reviewer": salted_hmac("evalapp.judgements.drafts", str(user.pk)).hexdigest()[:16],
        "errors": dict(fields),
    }


CHOICE_KEYS = dict(zip(Choice.values, "1234", strict=True))


def choice_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """The answers to a pair, with their keys."""
    return [
        {"value": value, "label": label, "key": CHOICE_KEYS[value], "is_chosen": verdict.choice == value}
        for value, label in Choice.choices
    ]


def side_rows(
    task: ComparisonTask, sides: Sequence[dict[str, Any]], verdict: Verdict
) -> list[dict[str, Any]]:
    """The answers as they stand side by side; in a ranking each with its possible ranks."""
    count = len(sides)
    ranks = list(verdict.ranks or ()) + [None] * count
    return [
        {
            **side,
            "letter": answer.letter,
            "position": position,
            "ranks": [{"value": rank, "is_chosen": ranks[position] == rank} for rank in range(1, count + 1)]
            if count > 2
            else [],
        }
        for position, (answer, side) in enumerate(zip(task.answers, sides, strict=True))
    ]
