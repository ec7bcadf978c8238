from typing import Any

from rest_framework import serializers

from evalapp.adjudication.appeals import against_words, subject_of
from evalapp.adjudication.disagreements import APART_CHOICES, DEFAULT_APART
from evalapp.adjudication.models import Adjudication, Appeal, Outcome
from evalapp.api.fields import Body, Flag, Id, List, Paging, Text, Whole
from evalapp.campaigns.models import Comparison, ItemOutput
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.words import LONGEST_MESSAGE, LONGEST_REASON

REASON = "The reviewers read it."
STATES = ("open", "decided", "all")
RANKS = "For each of the outputs its rank, 1 for the best; null of a pair."


class DisagreementQuery(Paging):
    apart = serializers.ChoiceField(
        choices=APART_CHOICES,
        required=False,
        default=DEFAULT_APART,
        help_text="Points on a scale of 1 to 5, to which others are stretched; else any difference counts.",
    )
    state = serializers.ChoiceField(choices=STATES, required=False, default="open")


class DisagreementSerializer(serializers.Serializer[Any]):
    """A criterion of one output on which reviewers differ."""

    item_output = serializers.IntegerField(source="item_output_id")
    criterion = serializers.CharField(source="criterion.key")
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    answers = serializers.IntegerField(help_text="How many reviewers gave a level; N/A is left out.")
    is_decided = serializers.BooleanField()
    is_own = serializers.SerializerMethodField()

    def get_is_own(self, row: Any) -> bool:
        """You reviewed it, so somebody else has to decide."""
        return row.item_output_id in self.context["view"].own


class AdjudicationRevisionSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


class AdjudicationSerializer(serializers.Serializer[Any]):
    """What was decided beside the reviews. ``value`` null is N/A; ``earlier``: what it said before."""

    id = serializers.IntegerField()
    item_output = serializers.IntegerField(source="item_output_id")
    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    revision = serializers.IntegerField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()
    earlier = serializers.SerializerMethodField()

    def get_earlier(self, decision: Adjudication) -> list[dict[str, Any]]:
        """Latest first."""
        revisions = sorted(decision.revisions.all(), key=lambda each: -each.revision)
        return [dict(AdjudicationRevisionSerializer(each).data) for each in revisions]


class AdjudicationBody(Body):
    item_output = Id()
    criterion = Text(max_length=40)
    value = Whole(min_value=-32_768, max_value=32_767, allow_null=True, default=None)
    not_applicable = Flag(default=False, help_text="Decide on N/A; leave ``value`` out.")
    reason = Text(max_length=LONGEST_REASON, help_text=REASON)
    revision = Whole(default=0, help_text="Of the decision that it replaces; 0: the first.")


class AppealSerializer(serializers.Serializer[Any]):
    """A reviewer does not agree. ``outcome`` is empty until it is answered."""

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
        """Null where it is about compared answers."""
        return self._subject_id(appeal, ItemOutput)

    def get_comparison(self, appeal: Appeal) -> int | None:
        """Null where it is about one answer."""
        return self._subject_id(appeal, Comparison)

    def _subject_id(self, appeal: Appeal, kind: type) -> int | None:
        subject = subject_of(appeal)
        return subject.pk if isinstance(subject, kind) else None

    def get_against(self, appeal: Appeal) -> str:
        """In words."""
        return against_words(appeal)

    def get_appealed(self, appeal: Appeal) -> str:
        """The decision that the appeal is against, in words, as it was then; empty for a request."""
        return appeal.appealed.words if appeal.appealed else ""

    def get_decided(self, appeal: Appeal) -> str:
        """The decision as it is now; empty for a request."""
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
        choices=Choice.choices, allow_blank=True, default="", help_text="The new preference on a pair."
    )
    ranks = List(
        child=Whole(min_value=1, max_value=5),
        max_length=5,
        allow_null=True,
        default=None,
        help_text="The new order of a ranking.",
    )


class OwnAppealSerializer(serializers.Serializer[Any]):
    """My appeal about a review of mine. ``outcome`` is empty until it is answered."""

    against = serializers.SerializerMethodField()
    reason = serializers.CharField()
    outcome = serializers.ChoiceField(choices=Outcome.choices, allow_blank=True)
    answer = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)

    def get_against(self, appeal: Appeal) -> str:
        """In words."""
        return against_words(appeal)


class AppealBody(Body):
    against = Text(
        max_length=60,
        help_text="“request” (the change request), or “decision:” and the criterion; of a comparison “decision”.",
    )
    reason = Text(max_length=LONGEST_REASON)
    revision = Whole(
        min_value=1, required=False, allow_null=True, default=None, help_text="Of the decision that was read."
    )


class ThreadMessageSerializer(serializers.Serializer[Any]):
    """``author``: “You”, a pseudonym, or a name where the reader may see it."""

    author = serializers.CharField(source="name")
    text = serializers.CharField(source="message.text")
    created_at = serializers.DateTimeField(source="message.created_at")


class DiscussionSerializer(serializers.Serializer[Any]):
    messages = ThreadMessageSerializer(many=True)


class OwnDecisionSerializer(serializers.Serializer[Any]):
    """What was decided about an answer that I reviewed. ``value`` null is N/A."""

    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    revision = serializers.IntegerField()
    decided_at = serializers.DateTimeField()


class OwnComparisonAdjudicationSerializer(serializers.Serializer[Any]):
    """What was decided about answers that I compared, by the letters under which I saw them."""

    choice = serializers.CharField(source="preference.choice", allow_blank=True)
    ranks = serializers.ListField(
        source="preference.ranks", child=serializers.IntegerField(), allow_null=True, help_text=RANKS
    )
    reason = serializers.CharField(source="adjudication.reason")
    revision = serializers.IntegerField(source="adjudication.revision")
    decided_at = serializers.DateTimeField(source="adjudication.decided_at")


class OwnDiscussionSerializer(serializers.Serializer[Any]):
    """What is said and decided about what I reviewed; nothing before I have. ``decisions`` are of a rating,
    ``adjudication`` of a comparison.
    """

    messages = ThreadMessageSerializer(many=True)
    decisions = OwnDecisionSerializer(many=True)
    adjudication = OwnComparisonAdjudicationSerializer(allow_null=True)


class ThreadMessageBody(Body):
    text = Text(max_length=LONGEST_MESSAGE, help_text="Markdown.")
