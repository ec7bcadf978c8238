from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, MeasureSerializer, Text, Whole
from evalapp.campaigns.design import MOST_CALIBRATION_ITEMS, MOST_OVERLAP
from evalapp.reviews.progress import TeamMember


class AddAssignmentsBody(Body):
    """Where answers are rated, ``criterion`` and ``least``; where they are compared, ``agreement``."""

    criterion = Text(max_length=120, required=False, help_text="The key of a criterion of the rubric.")
    least = Whole(
        min_value=1,
        required=False,
        help_text="How far apart the answers lie at least; a category's differ at all.",
    )
    agreement = Whole(
        min_value=0,
        max_value=99,
        required=False,
        help_text="The most percent of preferences on the same two answers that say the same.",
    )
    more = Whole(min_value=1, max_value=MOST_OVERLAP, default=1, help_text="Reviewers added to each item.")


class NamedSerializer(serializers.Serializer[Any]):
    """A finding under its reviewer's name. ``reviewer`` is the number by which cases are filtered, null before
    the first review; ``person`` is null and ``name`` reads "Reviewer 2" unless the project shows names.
    """

    reviewer = serializers.IntegerField(source="number", allow_null=True)
    person = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()

    def to_representation(self, pair: Any) -> dict[str, Any]:
        who, found = pair
        names = {"reviewer": who.number, "person": who.person, "name": who.name}
        own = {name: field for name, field in self.fields.items() if name not in names}
        values = {name: field.get_attribute(found) for name, field in own.items()}
        told = {
            name: None if value is None else own[name].to_representation(value)
            for name, value in values.items()
        }
        return names | told


class ReviewerChecksSerializer(NamedSerializer):
    """``gold_right`` of ``gold_answered``; of ``repeats_compared`` answers so many are the same, or close.

    Where answers are compared, ``sides_kept`` of ``sides_compared`` repeats keep to the position on the screen
    instead of the answer, and ``mean_tau`` says how alike a person's two orders of the same answers are.
    """

    gold_right = serializers.IntegerField(source="hits")
    gold_answered = serializers.IntegerField(source="answered")
    repeats_compared = serializers.IntegerField(source="compared")
    repeats_equal = serializers.IntegerField(source="equal")
    repeats_close = serializers.IntegerField(source="close")
    sides_kept = serializers.IntegerField(default=None, allow_null=True)
    sides_compared = serializers.IntegerField(default=None, allow_null=True)
    mean_tau = serializers.FloatField(source="tau.value", default=None, allow_null=True)


class ChecksSerializer(serializers.Serializer[Any]):
    people = ReviewerChecksSerializer(many=True)


class CalibratingSerializer(NamedSerializer):
    is_admitted = serializers.SerializerMethodField()
    items_done = serializers.IntegerField(source="done")
    items_wanted = serializers.IntegerField(source="wanted")
    distance = serializers.FloatField(
        allow_null=True,
        help_text="Levels from the median of the others, on average; where answers are compared, the share of the "
        "others' preferences that differ.",
    )

    def get_is_admitted(self, each: Any) -> bool:
        return each.campaign_reviewer.admitted_at is not None


class CalibrationSerializer(serializers.Serializer[Any]):
    people = CalibratingSerializer(many=True)


class RoundBody(Body):
    items = Whole(min_value=1, max_value=MOST_CALIBRATION_ITEMS)


class AddedToSerializer(serializers.Serializer[Any]):
    differing = serializers.IntegerField()
    added = serializers.IntegerField()


class AssignmentCountsSerializer(serializers.Serializer[Any]):
    available = serializers.IntegerField()
    in_progress = serializers.IntegerField()
    submitted = serializers.IntegerField()


class PersonProgressSerializer(serializers.Serializer[Any]):
    """``reviewer`` is the number by which cases are filtered, null before the first review. ``person`` is null
    and ``name`` reads "Reviewer 2" unless the project shows reviewers' names.
    """

    reviewer = serializers.IntegerField(source="number", allow_null=True)
    person = serializers.SerializerMethodField()
    name = serializers.CharField()
    is_simulated = serializers.BooleanField(source="progress.campaign_reviewer.user.is_simulated")
    has_left = serializers.SerializerMethodField()
    reviews = serializers.IntegerField(source="progress.reviews")
    share = serializers.IntegerField(
        allow_null=True, help_text="An even share of the work; null for who has left."
    )
    left = serializers.IntegerField(help_text="Still to do of that share.")
    pace = MeasureSerializer(help_text="Reviews a day over the last whole days.")
    in_progress = serializers.IntegerField(source="progress.in_progress")
    mean_seconds = serializers.FloatField(source="progress.mean_seconds", allow_null=True)
    median_seconds = serializers.FloatField(source="progress.median_seconds", allow_null=True)
    last_at = serializers.DateTimeField(source="progress.last_at", allow_null=True)

    def get_has_left(self, member: TeamMember) -> bool:
        return member.progress.campaign_reviewer.left_at is not None

    def get_person(self, member: TeamMember) -> int | None:
        return (
            member.progress.campaign_reviewer.user_id
            if self.context["view"].project.shows_reviewer_names
            else None
        )


class ForecastSerializer(serializers.Serializer[Any]):
    """When the last review will be in, at the pace of the last days. A date is null where it cannot be told."""

    pace = MeasureSerializer(source="forecast.pace")
    days = MeasureSerializer(source="forecast.days")
    left = serializers.IntegerField()
    done_at = serializers.DateTimeField(allow_null=True)
    soonest = serializers.DateTimeField(allow_null=True)
    latest = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    days_late = serializers.IntegerField(
        help_text="Days after the deadline; 0 where it is kept, or there is none."
    )


class ProgressSerializer(serializers.Serializer[Any]):
    reviews_done = serializers.IntegerField()
    reviews_total = serializers.IntegerField()
    items_total = serializers.IntegerField()
    assignments = AssignmentCountsSerializer()
    people = PersonProgressSerializer(many=True)
    forecast = ForecastSerializer(
        allow_null=True, help_text="Null unless the campaign is open with reviews left."
    )
