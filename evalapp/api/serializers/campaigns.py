from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Flag, Id, List, Paging, Shown, Text, Whole
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.campaigns.design import (
    LEASE_MINUTES,
    LONGEST_INSTRUCTIONS,
    MOST_CALIBRATION_ITEMS,
    MOST_CANDIDATES,
    MOST_CHECK_SHARE,
    MOST_OVERLAP,
)
from evalapp.campaigns.models import (
    Campaign,
    CampaignCandidate,
    Distribution,
    GoldAnswer,
    Item,
    ItemChoice,
    Method,
)
from evalapp.campaigns.queries import ITEM_LISTS, Cost
from evalapp.datasets.models import Split
from evalapp.reviews.progress import TeamMember


class CampaignCandidateSerializer(Shown):
    """``id`` names the candidate in this campaign's comparison and cases."""

    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")

    class Meta:
        model = CampaignCandidate
        fields = ("id", "model_version", "label", "position")


class CampaignSerializer(Shown):
    """``key`` is the campaign's name in the URLs of its reviewers."""

    rubric_version = serializers.IntegerField(source="rubric_version_id")
    dataset_version = serializers.IntegerField(source="dataset_version_id")
    baseline = serializers.IntegerField(source="baseline_id", allow_null=True)
    candidates = serializers.SerializerMethodField()
    reviews_done = serializers.IntegerField()
    people = serializers.IntegerField()
    is_overdue = serializers.BooleanField()

    class Meta:
        model = Campaign
        fields = (
            "id", "key", "name", "state", "rubric_version", "dataset_version", "split", "method", "baseline", "candidates", "overlap",
            "instructions", "lease_minutes", "shows_reference", "allows_corrections", "is_blind",
            "leaves_out_incomplete", "seed", "deadline", "items_total", "reviews_total", "reviews_done", "people",
            "is_simulated", "is_recorded", "created_at", "opened_at", "closed_at", "item_choice", "items_wanted",
            "stratify_by", "overlap_share", "overlap_more", "distribution", "quota", "is_overdue", "gold_share",
            "repeat_share", "calibration_items", "picked_because",
        )  # fmt: skip

    @extend_schema_field(CampaignCandidateSerializer(many=True))
    def get_candidates(self, campaign: Campaign) -> Any:
        return CampaignCandidateSerializer(campaign.candidates.all(), many=True).data


class CampaignBody(Body):
    name = Text(max_length=120)
    rubric_version = Id()
    dataset_version = Id()
    split = serializers.ChoiceField(choices=Split.choices)
    candidates = List(
        child=Id(),
        min_length=1,
        max_length=MOST_CANDIDATES,
        help_text="Ids of model versions, in their order.",
        error_messages={"min_length": "Choose at least one candidate."},
    )
    reviewers = List(
        child=Id(),
        min_length=1,
        max_length=1_000,
        help_text="Members' `person` ids.",
        error_messages={"min_length": "Choose at least one reviewer."},
    )
    overlap = Whole(min_value=1, max_value=MOST_OVERLAP, help_text="Reviewers of each item.")
    instructions = Text(max_length=LONGEST_INSTRUCTIONS, allow_blank=True, default="")
    lease_minutes = Whole(min_value=LEASE_MINUTES.start, max_value=LEASE_MINUTES.stop - 1, default=30)
    shows_reference = Flag(default=False)
    allows_corrections = Flag(default=True)
    is_blind = Flag(default=True)
    leaves_out_incomplete = Flag(default=False)
    seed = Whole(required=False, allow_null=True, default=None)
    deadline = serializers.DateTimeField(required=False, allow_null=True, default=None)
    item_choice = serializers.ChoiceField(choices=ItemChoice.choices, default=ItemChoice.ALL)
    items_wanted = Whole(
        min_value=1, required=False, allow_null=True, default=None, help_text="Null with `all`."
    )
    stratify_by = Text(
        max_length=100,
        allow_blank=True,
        default="",
        help_text="With `stratified`: the metadata field to stratify by.",
    )
    overlap_share = Whole(max_value=99, default=0, help_text="Percent of the items that get `overlap_more`.")
    overlap_more = Whole(min_value=2, max_value=MOST_OVERLAP, required=False, allow_null=True, default=None)
    distribution = serializers.ChoiceField(choices=Distribution.choices, default=Distribution.SHARED)
    quota = Whole(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="The most items that one person is handed.",
    )
    method = serializers.ChoiceField(
        choices=Method.choices,
        default=Method.POINTWISE,
        help_text="What reviewers do: rate each answer, compare two, or rank three to five.",
    )
    baseline = Id(
        required=False,
        allow_null=True,
        default=None,
        help_text="In pairs: the candidate that every other is compared with; null compares all with all.",
    )
    gold_share = Whole(max_value=MOST_CHECK_SHARE, default=0, help_text="Percent of a person's items.")
    repeat_share = Whole(max_value=MOST_CHECK_SHARE, default=0, help_text="Percent of a person's items.")
    calibration_items = Whole(
        max_value=MOST_CALIBRATION_ITEMS, default=0, help_text="What everybody rates before admission."
    )


class DeadlineBody(Body):
    deadline = serializers.DateTimeField(allow_null=True, help_text="Null for none.")


class QuotaBody(Body):
    quota = Whole(min_value=1, allow_null=True, help_text="Null: as the campaign says.")


class QuotaSerializer(serializers.Serializer[Any]):
    person = serializers.IntegerField(source="user_id")
    quota = serializers.IntegerField(allow_null=True)


class ReassignBody(Body):
    source = Id(allow_null=True, help_text="Whose work moves; null: the shared queue.")
    target = Id(allow_null=True, help_text="Who gets it; null: anybody.")
    most = Whole(min_value=1, required=False, allow_null=True, default=None, help_text="Null: all.")


class MovedSerializer(serializers.Serializer[Any]):
    moved = serializers.IntegerField(
        allow_null=True, help_text="How many; null unless the project shows reviewers' names."
    )


class ReleasedSerializer(serializers.Serializer[Any]):
    released = serializers.IntegerField(
        allow_null=True, help_text="How many items; null unless the project shows reviewers' names."
    )


class AddItemsBody(Body):
    items = Whole(min_value=1, required=False, allow_null=True, default=None, help_text="Null: all left.")


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
        help_text="The most percent of verdicts on the same two answers that say the same.",
    )
    more = Whole(min_value=1, max_value=MOST_OVERLAP, default=1, help_text="Reviewers added to each item.")


class GoldAnswerBody(Body):
    row = Whole(min_value=1, help_text="The row's number in the dataset version.")
    criterion = Text(max_length=120, help_text="The key of a criterion of the rubric.")
    value = Whole(min_value=-(2**15), max_value=2**15 - 1, help_text="The right level.")
    tolerance = Whole(default=0, help_text="How many levels off still count as right.")
    candidate = Text(
        max_length=200, allow_blank=True, default="", help_text="A candidate's label; empty: every one's."
    )


class GoldBody(Body):
    answers = List(child=GoldAnswerBody(), min_length=1, max_length=1_000)


class GoldAnswerSerializer(Shown):
    row = serializers.IntegerField(source="example.row_number")
    criterion = serializers.CharField(source="criterion.key")
    candidate = serializers.CharField(source="candidate.label", default="")

    class Meta:
        model = GoldAnswer
        fields = ("id", "row", "criterion", "value", "tolerance", "candidate")


class StoredSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField()


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
        "others' verdicts that differ.",
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


class ReviewersBody(Body):
    reviewers = List(child=Id(), min_length=1, max_length=1_000)


class ItemListQuery(Paging):
    list = serializers.ChoiceField(choices=sorted(ITEM_LISTS), required=False, default="")


class CampaignItemSerializer(serializers.Serializer[Any]):
    """``submitted`` and ``in_progress`` count assignments, of ``overlap``; ``skipped`` are reasons, and name nobody."""

    id = serializers.IntegerField()
    row_number = serializers.IntegerField(source="example.row_number")
    overlap = serializers.IntegerField()
    submitted = serializers.IntegerField()
    in_progress = serializers.IntegerField()
    reviews_done = serializers.IntegerField()
    skipped = serializers.SerializerMethodField()

    def get_skipped(self, item: Item) -> list[str]:
        return [skip.reason for skip in item.skips_given]  # type: ignore[attr-defined]  # annotated by the query


class AddedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()


class DrawnStratumSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    items = serializers.IntegerField(help_text="Chosen of it.")
    examples = serializers.IntegerField(help_text="There are of it.")


class CostSerializer(serializers.Serializer[Any]):
    """What a design asks of people, at 90 seconds a review (an assumption). ``checks``: about how many
    reviews gold, repeats and calibration ask for beside ``reviews``. ``share``: reviews of each person.
    """

    items = serializers.IntegerField()
    reviews = serializers.IntegerField()
    checks = serializers.IntegerField()
    seconds = serializers.IntegerField()
    people = serializers.IntegerField()
    share = serializers.IntegerField()
    share_seconds = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Examples that lack an answer of a candidate.")
    not_chosen = serializers.IntegerField(help_text="Examples that could be added later.")
    is_over_quota = serializers.BooleanField(help_text="Whether the quota leaves some work undone.")
    strata = serializers.SerializerMethodField()

    @extend_schema_field(DrawnStratumSerializer(many=True))
    def get_strata(self, cost: Cost) -> list[dict[str, object]]:
        return [dict(zip(("value", "items", "examples"), stratum, strict=True)) for stratum in cost.strata]


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
