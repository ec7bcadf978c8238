"""The content of the review page, as HTML and as JSON for its script."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.accounts.review_keys import REVIEW_KEYS, letters_of
from evalapp.campaigns.allocation import NoWork, NoWorkReason
from evalapp.campaigns.models import CampaignReviewer
from evalapp.campaigns.quotas import quota_of
from evalapp.reviews.answers import ReviewAnswers, criteria_of
from evalapp.reviews.closing import is_asked
from evalapp.reviews.forms import SkipForm
from evalapp.reviews.models import Review
from evalapp.reviews.spans import ShownSpan, Span, shown_spans, span_fields
from evalapp.rubrics.fields import NOT_APPLICABLE, QuotedField
from evalapp.rubrics.models import RubricVersion

NO_WORK_WORDS = {
    NoWorkReason.NOT_OPEN: ("Not open yet", "This campaign has not been opened. Its manager will open it."),
    NoWorkReason.PAUSED: (
        "Paused",
        "The manager has paused this campaign. Everything you have submitted and drafted is kept.",
    ),
    NoWorkReason.CLOSED: ("Closed", "This campaign is closed. Thank you: everything you submitted is kept."),
    NoWorkReason.DEADLINE_PASSED: (
        "The deadline has passed",
        (
            "You get no new items. Everything you have submitted and drafted is kept; the manager can move"
            " the deadline."
        ),
    ),
    NoWorkReason.QUOTA_REACHED: (
        "Your share is done",
        (
            "You have reviewed as many items as the manager allows for one person. Thank you. Others review"
            " the rest."
        ),
    ),
    NoWorkReason.ASSIGNED_TO_OTHERS: (
        "Your part is done",
        (
            "The remaining items are assigned to other reviewers. If the manager assigns some to you, they"
            " appear here."
        ),
    ),
    NoWorkReason.NOT_ADMITTED: (
        "The calibration round is done",
        (
            "Compare the others' answers and discuss them. You get the campaign's items when the manager"
            " admits you."
        ),
    ),
    NoWorkReason.ALL_DONE: ("All done", "Every review of this campaign is submitted. Thank you."),
    NoWorkReason.ALL_TAKEN: (
        "Nothing available right now",
        (
            "Other reviewers are working on the remaining items. When one skips an item, or its lease"
            " expires, you get it."
        ),
    ),
    NoWorkReason.NOTHING_LEFT_FOR_YOU: (
        "Your part is done",
        "You have reviewed or skipped every item that you can get. Other reviewers still have items.",
    ),
    NoWorkReason.LAST_ON_SCREEN: ("Last one", "This is your last item for now."),
}

# Reviews that the demonstration's campaign asks of each visitor; they may do more.
GOAL_OF_VISITORS = 5


def no_work_payload(no_work: NoWork, campaign_reviewer: CampaignReviewer) -> dict[str, Any]:
    title, text = NO_WORK_WORDS[no_work.reason]
    return {
        "no_work": {
            "reason": no_work.reason,
            "title": title,
            "text": text,
            "come_back_at": _iso(no_work.come_back_at),
            "closing_url": closing_url(campaign_reviewer),
        }
    }


def closing_url(campaign_reviewer: CampaignReviewer) -> str:
    """The URL of the closing question; empty unless it is open for this reviewer."""
    return (
        reverse("review_closing", args=[campaign_reviewer.campaign.key])
        if is_asked(campaign_reviewer)
        else ""
    )


def task_url(assignment_key: Any, slot: int) -> str:
    return reverse("review_task", args=[assignment_key, slot])


def review_url(review: Review) -> str:
    """The URL of a submitted review. Reads its assignment."""
    return task_url(review.assignment.key, review.slot)


def progress_payload(campaign_reviewer: CampaignReviewer, no_work: NoWork | None = None) -> dict[str, Any]:
    """The person's reviews and expected total, everybody's, and the person's median time;
    ``campaign_reviewer`` comes from `with_progress`.

    ``mine_total`` estimates the most that one person can get. ``no_work``: given if there was no task.
    """
    campaign = campaign_reviewer.campaign
    median = getattr(campaign_reviewer, "median_seconds", None)
    items = campaign.items_total
    if (quota := quota_of(campaign_reviewer)) is not None:
        items = min(items, quota)
    # All numbers include checks, or a number that does not change would reveal one; and whole items, since a
    # total that no number of items gives would reveal them too. How many checks come is random, so the total
    # is an estimate: it grows if more have come, and no decision depends on it.
    shares = campaign.gold_share + campaign.repeat_share
    items += round(items * shares / 100) + campaign.calibration_items
    mine = campaign_reviewer.reviews_done + campaign_reviewer.checks_done
    each = campaign.reviews_per_assignment
    most = max(items, -(-mine // each)) * each
    total = campaign.reviews_total + campaign.checks_total
    mine_total, words = most, f"of up to {most:,}"
    is_all_done = getattr(campaign_reviewer, "is_all_done", False) or (
        no_work is not None and no_work.reason == NoWorkReason.ALL_DONE
    )
    if is_all_done:
        # No more checks are expected, so the exact number is known.
        total = getattr(campaign_reviewer, "campaign_done", 0)
    if is_all_done or (no_work is not None and no_work.is_over):
        mine_total, words = mine, "nothing left for you"
    elif campaign.invites_visitors:
        mine_total = min(most, GOAL_OF_VISITORS)
        words = f"of {mine_total}, more if you like"
    return {
        "mine": mine,
        "mine_total": mine_total,
        "mine_words": words,
        "done": min(getattr(campaign_reviewer, "campaign_done", 0), total),
        "total": total,
        "median_seconds": max(0.1, round(float(median), 1)) if median else None,
    }


def may_exceed_share(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether a visitor has done what was asked, and more reviews can still come."""
    campaign = campaign_reviewer.campaign
    mine = campaign_reviewer.reviews_done + campaign_reviewer.checks_done
    most = campaign.items_total * campaign.reviews_per_assignment
    is_all_done = getattr(campaign_reviewer, "is_all_done", False)
    return campaign.invites_visitors and GOAL_OF_VISITORS <= mine < most and not is_all_done


def key_rows(user: User, *, without: Container[str]) -> list[dict[str, str]]:
    """The single-letter keys with their actions, for the list of keys."""
    letters = letters_of(user, without=without)
    return [
        {"action": key.action, "label": key.label, "key": letters[key.action]}
        for key in REVIEW_KEYS
        if key.action in letters
    ]


def rubric_html(
    version: RubricVersion,
    *,
    answers: ReviewAnswers | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    output_text: str = "",
    quoted: Mapping[str, QuotedField] | None = None,
) -> str:
    """The rubric's form. ``output_text``: the text that spans refer to; ``quoted``: words that could not be
    marked, by criterion. The empty form of a frozen version is rendered once per process.
    """
    if answers is None and not errors and version.frozen_at is not None:
        return _empty_rubric_html(version.pk)
    return _render_rubric(version, answers or ReviewAnswers(), errors or {}, output_text, quoted or {})


@lru_cache(maxsize=256)
def _empty_rubric_html(version_id: int) -> str:
    version = RubricVersion.objects.get(pk=version_id)
    return _render_rubric(version, ReviewAnswers(), {}, "", {})


def _render_rubric(
    version: RubricVersion,
    answers: ReviewAnswers,
    errors: Mapping[str, Sequence[str]],
    output_text: str,
    quoted: Mapping[str, QuotedField],
) -> str:
    rows = []
    for each in criteria_of(version):
        value = answers.scores.get(each.key)
        rows.append(
            {
                "criterion": each.criterion,
                "answer": {
                    "value": value,
                    "tags": answers.tags.get(each.key, ()),
                    "text": answers.texts.get(each.key, ""),
                    "spans": span_fields(each.criterion, answers.spans.get(each.key, ()), output_text),
                    "quoted": quoted.get(each.key),
                },
                "errors": [
                    text
                    for part in ("scores", "tags", "texts", "spans")
                    for text in errors.get(f"{part}.{each.key}", ())
                ],
            }
        )
    criteria = [row["criterion"] for row in rows]
    return render_to_string("reviews/rubric.html", {"rows": rows, "criteria": criteria})


@cache
def skip_fields_html() -> str:
    """The fields of the skip dialog, which are the same for everybody."""
    return render_to_string("reviews/skip_fields.html", {"form": SkipForm()})


def marks_of(
    version: RubricVersion, spans: Mapping[str, Sequence[Span]], output_text: str
) -> list[ShownSpan]:
    """The spans by criterion, each with the words that it marks."""
    return [
        mark
        for each in criteria_of(version)
        if each.key in spans
        for mark in shown_spans(each.criterion, spans[each.key], output_text)
    ]


def given_rows(version: RubricVersion, answers: ReviewAnswers) -> list[tuple[str, str]]:
    """The name of each answered criterion with its answer in words."""
    rows = []
    for each in criteria_of(version):
        score, text = answers.scores.get(each.key), answers.texts.get(each.key, "")
        level = each.criterion.rules.level_of(score)
        if score == NOT_APPLICABLE:
            rows.append((each.criterion.name, "N/A"))
        elif level is not None and level in each.criterion.levels:
            rows.append((each.criterion.name, each.criterion.level_words(level)))
        elif text:
            rows.append((each.criterion.name, text))
    return rows


def has_spans(version: RubricVersion) -> bool:
    """Whether the rubric asks for spans of the output."""
    return any(each.criterion.rules.answered_by == "marks" for each in criteria_of(version))


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
