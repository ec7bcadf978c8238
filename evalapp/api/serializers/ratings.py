from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Flag, Id, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.datasets.csv_files import DELIMITERS
from evalapp.ratings.layouts import Use
from evalapp.ratings.models import RatingsImport, RatingsProblem
from evalapp.ratings.options import BY_FIELD, BY_PROMPT, BY_ROW, MAKE, RECORD, REFUSE


class RatingsProblemSerializer(Shown):
    """``is_refusal``: the record was not imported for it; else it was, and this says how it differs."""

    class Meta:
        model = RatingsProblem
        fields = ("row", "field", "problem", "mend", "is_refusal")


class RatingsImportSerializer(Shown):
    """An uploaded file of ratings. It waits until it is checked or started; ``options`` are what its content
    suggests, and ``census`` what it speaks of, after the first reading.
    """

    options = serializers.DictField()
    census = serializers.DictField()
    job = JobSerializer(allow_null=True)
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)
    created_by = CreatedByField()

    class Meta:
        model = RatingsImport
        fields = (
            "id", "file_name", "size_bytes", "content_hash", "options", "census", "job", "campaign", "records_read",
            "records_imported", "records_refused", "problems_found", "spans_missing", "created_by", "created_at",
        )  # fmt: skip


class RatingsUploadBody(Body):
    file = serializers.FileField(
        help_text="CSV or JSONL with ratings, or the JSON export of Label Studio or Argilla, in UTF-8."
    )


class RatingsImportBody(Body):
    """What is left out stays as the upload's ``options`` have it."""

    name = Text(max_length=120, required=False, help_text="Of the campaign.")
    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False)
    mapping = serializers.DictField(
        child=serializers.ChoiceField(choices=[use.value for use in Use]),
        required=False,
        help_text="Column, or field of a task's data → use.",
    )
    rubric_version = Id(
        required=False, allow_null=True, help_text="Id; null makes a rubric from the file's values."
    )
    criteria = serializers.DictField(
        child=Fields(),
        required=False,
        help_text="Criterion of the file → {`use`: key of the rubric's criterion, or `-` to leave it out} or, for a "
        "rubric made from the file, {`kind`, `minimum`, `maximum`, `lower_is_better`}.",
    )
    candidates = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="Name in the file → id of a model version, 0 for a new one.",
    )
    reviewers = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="Name in the file → id of a member, 0 for a recorded reviewer.",
    )
    unknown_candidates = serializers.ChoiceField(choices=[MAKE, REFUSE], required=False)
    unknown_reviewers = serializers.ChoiceField(choices=[RECORD, REFUSE], required=False)
    dataset_version = Id(
        required=False,
        allow_null=True,
        help_text="Id of the version whose rows are the items; null: in the file.",
    )
    items_by = serializers.ChoiceField(choices=[BY_ROW, BY_PROMPT, BY_FIELD], required=False)
    item_field = Text(max_length=200, required=False)
    is_blind = Flag(required=False)
    skips_invalid = Flag(required=False, help_text="Import without the records that cannot be used.")
