"""Appeals and their answers."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from evalapp.adjudication.api.adjudications import DisputeView, given_value
from evalapp.adjudication.api.discussions import OwnReviewView
from evalapp.adjudication.appeals import (
    NewValue,
    answer_appeal,
    appeal,
    appeal_subject_in_words,
    appeals_of,
    own_appeals,
    subject_of,
)
from evalapp.adjudication.models import Appeal, ComparisonAdjudication, Outcome
from evalapp.adjudication.rights import require_may_read
from evalapp.api.fields import Body, Flag, List, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.campaigns.models import Comparison, ItemOutput
from evalapp.core.http import get_or_missing
from evalapp.reviews.change_requests import WAITING_FIRST
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.words import LONGEST_REASON


class AppealSerializer(serializers.Serializer[Any]):
    """An appeal of a reviewer. ``outcome`` is empty until somebody answers the appeal."""

    id = serializers.IntegerField()
    item_output = serializers.SerializerMethodField()
    comparison = serializers.SerializerMethodField()
    against = serializers.SerializerMethodField()
    appealed = serializers.SerializerMethodField()
    decided = serializers.SerializerMethodField()
    appellant = serializers.SerializerMethodField()
    reason = serializers.CharField()
    outcome = serializers.ChoiceField(choices=Outcome.choices, allow_blank=True)
    answer = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)

    def get_item_output(self, appeal: Appeal) -> int | None:
        """Null if the appeal is about compared answers."""
        return self._subject_id(appeal, ItemOutput)

    def get_comparison(self, appeal: Appeal) -> int | None:
        """Null if the appeal is about one answer."""
        return self._subject_id(appeal, Comparison)

    def _subject_id(self, appeal: Appeal, kind: type) -> int | None:
        subject = subject_of(appeal)
        return subject.pk if isinstance(subject, kind) else None

    def get_against(self, appeal: Appeal) -> str:
        """Description of what the appeal is against."""
        return appeal_subject_in_words(appeal)

    def get_appealed(self, appeal: Appeal) -> str:
        """The appealed decision as it was when the appeal was made; empty for a change request."""
        return appeal.appealed.words if appeal.appealed else ""

    def get_decided(self, appeal: Appeal) -> str:
        """The decision as it is now; empty for a change request."""
        return appeal.decision.words if appeal.decision else ""

    def get_appellant(self, appeal: Appeal) -> str:
        """A pseudonym, unless the project shows names."""
        return str(self.context["view"].names.of(appeal.appellant))


class AppealAnswerBody(Body):
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    answer = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")
    value = Whole(min_value=-32_768, max_value=32_767, allow_null=True, default=None)
    not_applicable = Flag(default=False)
    choice = serializers.ChoiceField(
        choices=Choice.choices,
        allow_blank=True,
        default="",
        help_text="The new preference between two answers.",
    )
    ranks = List(
        child=Whole(min_value=1, max_value=5),
        max_length=5,
        allow_null=True,
        default=None,
        help_text="The new order of a ranking.",
    )


class OwnAppealSerializer(serializers.Serializer[Any]):
    """My appeal about one of my reviews. ``outcome`` is empty until somebody answers the appeal."""

    against = serializers.SerializerMethodField()
    reason = serializers.CharField()
    outcome = serializers.ChoiceField(choices=Outcome.choices, allow_blank=True)
    answer = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)

    def get_against(self, appeal: Appeal) -> str:
        """Description of what the appeal is against."""
        return appeal_subject_in_words(appeal)


class AppealBody(Body):
    against = Text(
        max_length=60,
        help_text=(
            "“request” for the change request, “decision:” and the criterion's key for a decision; "
            "“decision” for a comparison."
        ),
    )
    reason = Text(max_length=LONGEST_REASON)
    revision = Whole(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="Revision of the decision that you appeal against.",
    )


def _new_value(appeal: Appeal, values: dict[str, Any]) -> NewValue:
    if isinstance(appeal.against, ComparisonAdjudication):
        return PreferenceAnswers(values["choice"], values["ranks"])
    return given_value(values)


@route("campaigns/<int:campaign_id>/appeals/", "api_appeals")
class AppealList(DisputeView):
    order = WAITING_FIRST

    @operation("List appeals", result=AppealSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Unanswered appeals first."""
        return self.page(appeals_of(self.campaign(campaign_id)))


@route("campaigns/<int:campaign_id>/appeals/<int:appeal_id>/answer/", "api_appeal_answer")
class AppealAnswer(DisputeView):
    @operation("Answer an appeal", body=AppealAnswerBody, result=AppealSerializer)
    def post(self, campaign_id: int, appeal_id: int) -> object:
        """The person who decided can answer only if nobody else can. The outcome “changed” withdraws the
        change request, or revises the decision: to ``value`` for a rating, to ``choice`` or ``ranks`` for a
        comparison.
        """
        appeals = appeals_of(self.campaign(campaign_id))
        found = get_or_missing(appeals, pk=appeal_id)
        require_may_read(person=self.person, campaign=found.campaign, subject=subject_of(found))
        values = self.body()
        answer_appeal(
            appeal=found,
            by=self.person,
            outcome=values["outcome"],
            answer=values["answer"],
            value=_new_value(found, values),
        )
        return appeals.get(pk=found.pk)


@route("reviews/<uuid:key>/<int:slot>/appeals/", "api_my_appeals")
class OwnAppeals(OwnReviewView):
    @operation("List my appeals about a review", result=OwnAppealSerializer, paged=True)
    def get(self, key: UUID, slot: int) -> object:
        """Latest first, with the answers."""
        return self.page(own_appeals(self.review(key, slot), self.person))

    @operation("Appeal", body=AppealBody, result=OwnAppealSerializer, status=201)
    def post(self, key: UUID, slot: int) -> object:
        """Appeals against a change request or a decision. Somebody else than its author answers."""
        return appeal(review=self.review(key, slot), by=self.person, **self.body())
