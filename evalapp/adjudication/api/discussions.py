"""Discussions of outputs and comparisons, for adjudicators and for their reviewers."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from evalapp.adjudication.api.adjudications import RANKS, DisputeView
from evalapp.adjudication.discussion import Names, thread_of, write_message
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.side_by_side import comparison_adjudications_about, decisions_about
from evalapp.adjudication.subjects import Subject, rated_outputs
from evalapp.api.fields import Body, Text
from evalapp.api.operations import ApiView, operation, route
from evalapp.campaigns.models import Comparison, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.words import LONGEST_MESSAGE


class ThreadMessageSerializer(serializers.Serializer[Any]):
    """``author`` is “You”, a pseudonym, or a name if you may see names."""

    author = serializers.CharField(source="name")
    text = serializers.CharField(source="message.text")
    created_at = serializers.DateTimeField(source="message.created_at")


class DiscussionSerializer(serializers.Serializer[Any]):
    messages = ThreadMessageSerializer(many=True)


class OwnDecisionSerializer(serializers.Serializer[Any]):
    """A decision about an answer that I reviewed. ``value`` null means N/A."""

    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    revision = serializers.IntegerField()
    decided_at = serializers.DateTimeField()


class OwnComparisonAdjudicationSerializer(serializers.Serializer[Any]):
    """A decision about answers that I compared, in the order in which I saw them."""

    choice = serializers.CharField(source="preference.choice", allow_blank=True)
    ranks = serializers.ListField(
        source="preference.ranks", child=serializers.IntegerField(), allow_null=True, help_text=RANKS
    )
    reason = serializers.CharField(source="adjudication.reason")
    revision = serializers.IntegerField(source="adjudication.revision")
    decided_at = serializers.DateTimeField(source="adjudication.decided_at")


class OwnDiscussionSerializer(serializers.Serializer[Any]):
    """Messages and decisions about an output or comparison that I reviewed; empty until I submit my review.
    Ratings have ``decisions``, comparisons an ``adjudication``.
    """

    messages = ThreadMessageSerializer(many=True)
    decisions = OwnDecisionSerializer(many=True)
    adjudication = OwnComparisonAdjudicationSerializer(allow_null=True)


class ThreadMessageBody(Body):
    text = Text(max_length=LONGEST_MESSAGE, help_text="Markdown.")


class DiscussionView(DisputeView):
    def read(self, subject: Subject) -> dict[str, Any]:
        require_may_read(person=self.person, campaign=subject.item.campaign, subject=subject)
        return {"messages": thread_of(subject, self.names)}

    def write(self, subject: Subject) -> dict[str, Any]:
        campaign = subject.item.campaign
        require_may_read(person=self.person, campaign=campaign, subject=subject)
        write_message(campaign=campaign, subject=subject, by=self.person, text=self.body()["text"])
        return {"messages": thread_of(subject, self.names)}


@route("campaigns/<int:campaign_id>/outputs/<int:item_output_id>/discussion/", "api_discussion")
class Discussion(DiscussionView):
    @operation("Read the discussion of an output", result=DiscussionSerializer)
    def get(self, campaign_id: int, item_output_id: int) -> object:
        """Oldest message first."""
        return self.read(self._output(campaign_id, item_output_id))

    @operation("Write in a discussion", body=ThreadMessageBody, result=DiscussionSerializer, status=201)
    def post(self, campaign_id: int, item_output_id: int) -> object:
        """Readable by people who submitted a review of the output, and by adjudicators."""
        return self.write(self._output(campaign_id, item_output_id))

    def _output(self, campaign_id: int, item_output_id: int) -> ItemOutput:
        outputs = rated_outputs(self.campaign(campaign_id)).select_related("item__campaign__project")
        found: ItemOutput = get_or_missing(outputs, pk=item_output_id)
        return found


@route("campaigns/<int:campaign_id>/comparisons/<int:comparison_id>/discussion/", "api_comparison_discussion")
class ComparisonDiscussion(DiscussionView):
    @operation("Read the discussion of compared answers", result=DiscussionSerializer)
    def get(self, campaign_id: int, comparison_id: int) -> object:
        """Oldest message first."""
        return self.read(self.comparison(campaign_id, comparison_id))

    @operation(
        "Write about compared answers", body=ThreadMessageBody, result=DiscussionSerializer, status=201
    )
    def post(self, campaign_id: int, comparison_id: int) -> object:
        """Readable by people who submitted a preference on these answers, and by adjudicators."""
        return self.write(self.comparison(campaign_id, comparison_id))


class OwnReviewView(ApiView):
    """The output or comparison that I reviewed; MissingError until I submit my review."""

    def review(self, key: UUID, slot: int) -> Review:
        review_context = review_context_at(self.person, key, slot)
        campaign = review_context.assignment.campaign
        found = kind_of(campaign).own_review(review_context)
        if found is None:
            raise MissingError("The discussion opens once you have submitted your own review.")
        found.campaign = campaign
        return found


def _subject(review: Review) -> Subject:
    kind = Comparison if review.campaign.compares else ItemOutput
    return kind(pk=review.subject_id)


@route("reviews/<uuid:key>/<int:slot>/discussion/", "api_my_discussion")
class OwnDiscussion(OwnReviewView):
    @operation("Read the discussion of my review", result=OwnDiscussionSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """Messages with the decisions; compared answers have the letters under which I saw them. 404 until I
        submit my review.
        """
        return self._shown(self.review(key, slot))

    @operation(
        "Write in the discussion of my review",
        body=ThreadMessageBody,
        result=OwnDiscussionSerializer,
        status=201,
    )
    def post(self, key: UUID, slot: int) -> object:
        """Readable by the other reviewers of the same output, and by adjudicators."""
        review = self.review(key, slot)
        text = self.body()["text"]
        write_message(campaign=review.campaign, subject=_subject(review), by=self.person, text=text)
        return self._shown(review)

    def _shown(self, review: Review) -> dict[str, Any]:
        subject = _subject(review)
        names = Names(review.campaign, reader=self.person, to_reviewer=True)
        shown: dict[str, Any] = {"messages": thread_of(subject, names), "decisions": [], "adjudication": None}
        if isinstance(subject, ItemOutput):
            shown["decisions"] = decisions_about([subject])[subject.pk]
        elif adjudication := comparison_adjudications_about([subject]).get(subject.pk):
            shown["adjudication"] = {
                "adjudication": adjudication,
                "preference": adjudication.preference.turned(adjudication.outputs, review.preference.outputs),
            }
        return shown
