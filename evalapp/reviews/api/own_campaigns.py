"""The campaigns in which a person reviews: how far they are, what is next, and the closing question."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from evalapp.api.fields import Body, List, Nothing, Whole
from evalapp.api.operations import operation, route
from evalapp.campaigns.allocation import NextReview, NoWork, NoWorkReason, next_review
from evalapp.campaigns.models import CampaignReviewer, CampaignState, Method
from evalapp.datasets.api.datasets import MessageSerializer
from evalapp.reviews.answers import criteria_of
from evalapp.reviews.api.tasks import ReviewView, TaskSerializer, shown_task
from evalapp.reviews.closing import (
    CLOSING_QUESTION,
    answer_closing,
    closing_questions,
    decline_closing,
    is_asked,
)
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.presentation import NO_WORK_WORDS, progress_payload
from evalapp.reviews.queries import campaign_reviewers_of, with_progress
from evalapp.rubrics.api import CriterionSerializer
from evalapp.rubrics.drafts import draft_of


class ReviewProgressSerializer(serializers.Serializer[Any]):
    mine = serializers.IntegerField()
    mine_total = serializers.IntegerField(
        help_text=(
            "Largest number of reviews that I can give, since nobody gets an item twice; if nothing is "
            "left, the number I gave."
        )
    )
    done = serializers.IntegerField(help_text="Number of reviews by all reviewers.")
    total = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True, help_text="Median over my latest 30 reviews.")


class OwnCampaignSerializer(serializers.Serializer[Any]):
    """A campaign in which I review."""

    campaign = serializers.UUIDField(source="campaign.key")
    name = serializers.CharField(source="campaign.name")
    project = serializers.CharField(source="campaign.project.name")
    method = serializers.ChoiceField(
        source="campaign.method",
        choices=Method.choices,
        help_text="pointwise: answers are rated; otherwise answers are compared in pairs or ranked.",
    )
    state = serializers.ChoiceField(source="campaign.state", choices=CampaignState.choices)
    deadline = serializers.DateTimeField(source="campaign.deadline", allow_null=True)
    progress = ReviewProgressSerializer(source="shown_progress")


class OwnCampaignDetailSerializer(OwnCampaignSerializer):
    instructions = serializers.CharField(source="campaign.instructions", allow_blank=True)
    rubric_instructions = serializers.CharField(
        source="campaign.rubric_version.instructions", allow_blank=True
    )
    allows_corrections = serializers.BooleanField(source="campaign.allows_corrections")
    criteria = CriterionSerializer(many=True)


class NoWorkSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=[reason.value for reason in NoWorkReason])
    text = serializers.CharField()
    come_back_at = serializers.DateTimeField(allow_null=True)
    closing_question = serializers.BooleanField(help_text="Whether the closing question waits for my answer.")


class NextSerializer(serializers.Serializer[Any]):
    """A task, or the reason why there is none."""

    task = TaskSerializer(allow_null=True)
    no_work = NoWorkSerializer(allow_null=True)
    progress = ReviewProgressSerializer()


class ClosingTextSerializer(serializers.Serializer[Any]):
    assignment = serializers.UUIDField(source="output.assignment_key")
    slot = serializers.IntegerField(source="output.slot")
    messages = MessageSerializer(many=True, source="task.messages")
    answer = serializers.CharField(source="task.answer", allow_blank=True)


class ClosingSerializer(serializers.Serializer[Any]):
    """``texts`` is empty if there is no question for you: your reviews are not done, or you have answered."""

    question = serializers.CharField()
    texts = ClosingTextSerializer(many=True)


class BeliefBody(Body):
    assignment = serializers.UUIDField()
    slot = Whole()
    belief = Whole(
        min_value=-2,
        max_value=2,
        help_text=(
            "2: tuned model, sure; 1: tuned model, a guess; 0: cannot tell; -1: another model, a"
            " guess; -2: another model, sure."
        ),
    )


class ClosingBody(Body):
    """An empty list skips the question; it is not asked again."""

    beliefs = List(child=BeliefBody(), max_length=100)


@route("reviews/", "api_my_campaigns")
class OwnCampaignList(ReviewView):
    @operation("List my campaigns", result=OwnCampaignSerializer, paged=True)
    def get(self) -> object:
        """Campaigns in which I am a reviewer, with my progress."""
        return self.page(with_progress(campaign_reviewers_of(self.person)), dress=_with_progress_shown)


def _with_progress_shown(campaign_reviewers: list[CampaignReviewer]) -> list[CampaignReviewer]:
    for campaign_reviewer in campaign_reviewers:
        campaign_reviewer.shown_progress = progress_payload(campaign_reviewer)  # type: ignore[attr-defined]  # read by the serializer
    return campaign_reviewers


@route("reviews/campaigns/<uuid:key>/", "api_my_campaign")
class OwnCampaignDetail(ReviewView):
    @operation("Read a campaign of mine", result=OwnCampaignDetailSerializer)
    def get(self, key: UUID) -> object:
        """Instructions, and the rubric with the keys to use in answers."""
        campaign_reviewer = self.campaign_reviewer(key)
        criteria = [
            draft_of(each.criterion) for each in criteria_of(campaign_reviewer.campaign.rubric_version)
        ]
        campaign_reviewer.criteria = criteria  # type: ignore[attr-defined]  # read by the serializer
        return _with_progress_shown([campaign_reviewer])[0]


@route("reviews/campaigns/<uuid:key>/next/", "api_my_next")
class NextTask(ReviewView):
    @operation("Get the next review task", body=Nothing, result=NextSerializer)
    def post(self, key: UUID) -> object:
        """Claims an assignment if needed. Repeated requests return the same task until it is submitted or
        skipped.
        """
        campaign_reviewer = self.campaign_reviewer(key)
        self.body()
        found = next_review(campaign_reviewer=campaign_reviewer)
        if not isinstance(found, NextReview):
            return {
                "task": None,
                "no_work": no_work_body(found, campaign_reviewer),
                "progress": progress_payload(campaign_reviewer, found),
            }
        progress = progress_payload(campaign_reviewer)
        campaign = campaign_reviewer.campaign
        task = kind_of(campaign).task(
            assignment_key=found.assignment.key,
            subject_id=found.subject_id,
            campaign=campaign,
            reviewer=campaign_reviewer.user,
        )
        shown = shown_task(campaign, found.assignment.key, found.slot, task)
        return {"task": shown, "no_work": None, "progress": progress}


def no_work_body(found: NoWork, campaign_reviewer: CampaignReviewer) -> dict[str, Any]:
    _, text = NO_WORK_WORDS[found.reason]
    return {
        "reason": found.reason,
        "text": text,
        "come_back_at": found.come_back_at,
        "closing_question": is_asked(campaign_reviewer),
    }


@route("reviews/campaigns/<uuid:key>/closing/", "api_my_closing")
class ClosingQuestion(ReviewView):
    @operation("Read the closing question", result=ClosingSerializer)
    def get(self, key: UUID) -> object:
        """Asked once, after a blind campaign is closed. The question reveals no candidate."""
        return {"question": CLOSING_QUESTION, "texts": closing_questions(self.campaign_reviewer(key))}

    @operation("Answer the closing question", body=ClosingBody, status=204)
    def post(self, key: UUID) -> object:
        """The answer is final; nobody learns whether a guess was right. 409 if there is no question."""
        campaign_reviewer = self.campaign_reviewer(key)
        beliefs = {(each["assignment"], each["slot"]): each["belief"] for each in self.body()["beliefs"]}
        if beliefs:
            answer_closing(campaign_reviewer=campaign_reviewer, beliefs=beliefs)
        else:
            decline_closing(campaign_reviewer=campaign_reviewer)
        return None
