"""Simulated people at work: their reviews use the same services as the pages and are all marked as
simulated.
"""

from typing import Any

from evalapp.accounts.models import User
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, ItemOutput
from evalapp.core.errors import InvalidError
from evalapp.demo import training_settings
from evalapp.demo.generator import DemoExample, generate_examples
from evalapp.demo.simulated_reviewers import (
    REVIEWERS,
    SimulatedReview,
    SimulatedReviewer,
    accepts_correction,
    review,
)
from evalapp.demo.stage_set import email_of, simulated_users
from evalapp.demo.submitting import submit_simulated
from evalapp.exports.models import Export, RowDecision
from evalapp.exports.queries import decidable_rows
from evalapp.exports.services import decide_row
from evalapp.jobs.work import Work
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.models import Criterion


def examples_by_key() -> dict[str, DemoExample]:
    return {example.key: example for example in generate_examples()}


def simulate_reviews(work: Work) -> dict[str, Any]:
    """Let every simulated reviewer do all their reviews in the job's campaign."""
    campaign = Campaign.objects.select_related("project", "rubric_version").get(
        pk=work.job.params["campaign"]
    )
    _require_demonstration(campaign)
    criteria = list(campaign.rubric_version.criteria.prefetch_related("reason_tags"))
    examples = examples_by_key()
    total = campaign.reviews_total
    done = campaign.reviews.count()
    work.progress(done, total, "Simulated reviewers at work")
    users = simulated_users()
    for reviewer in REVIEWERS:
        campaign_reviewer = CampaignReviewer.objects.select_related(
            "campaign__project", "campaign__rubric_version", "user"
        ).get(campaign=campaign, user=users[reviewer.key])
        while isinstance(upcoming := next_review(campaign_reviewer=campaign_reviewer), NextReview):
            _review_one(upcoming, reviewer, campaign_reviewer, criteria, examples)
            done += 1
            work.progress(done, total)
    return {"reviews": done}


def _require_demonstration(campaign: Campaign) -> None:
    if not campaign.project.is_demonstration:
        raise InvalidError("Simulated reviewers work in a demonstration project only.")


def _review_one(
    upcoming: NextReview,
    reviewer: SimulatedReviewer,
    campaign_reviewer: CampaignReviewer,
    criteria: list[Criterion],
    examples: dict[str, DemoExample],
) -> None:
    entry = ItemOutput.objects.select_related("output__example").get(pk=upcoming.subject_id)
    example = examples[entry.output.example.metadata["key"]]
    text = entry.output.text
    said = review(
        reviewer, text, facts=example.facts, reference=example.formal, seed=training_settings.REVIEW_SEED
    )
    submit_simulated(upcoming, campaign_reviewer, text=text, answers=answers_of(said, criteria))


def answers_of(said: SimulatedReview, criteria: list[Criterion]) -> ReviewAnswers:
    """The review in the form that these criteria accept."""
    scores: dict[str, int] = {}
    tags: dict[str, list[str]] = {}
    for criterion in criteria:
        if criterion.key not in said.scores:
            scores[criterion.key] = int(said.material_error)
            continue
        scores[criterion.key] = said.scores[criterion.key]
        labels = said.tags.get(criterion.key, ())
        tags[criterion.key] = [tag.key for tag in criterion.reason_tags.all() if tag.label in labels]
    return ReviewAnswers(scores=scores, tags=tags, comment=said.comment, correction=said.correction)


def decide_corrections(work: Work) -> dict[str, Any]:
    """Let the demonstration's lead, who is not their author, accept corrections in house style without
    factual errors and reject the others.
    """
    export = Export.objects.select_related("campaign__project").get(pk=work.job.params["export"])
    _require_demonstration(export.campaign)
    lead = User.objects.get(email=email_of("manager"))
    examples = examples_by_key()
    rows = list(
        decidable_rows(export, lead).select_related("example", "review", "export__project").order_by("pk")
    )
    accepted = 0
    for position, row in enumerate(rows, start=1):
        facts = examples[row.example.metadata["key"]].facts
        takes = accepts_correction(row.chosen_text, facts=facts)
        decide_row(row=row, decision=RowDecision.ACCEPTED if takes else RowDecision.REJECTED, by=lead)
        accepted += takes
        work.progress(position, len(rows), "Checking corrections")
    return {"accepted": accepted, "rejected": len(rows) - accepted}
