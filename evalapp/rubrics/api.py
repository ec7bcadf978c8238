"""Rubrics, their versions, and rubrics as YAML files."""

from decimal import Decimal
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Flag, List, Number, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.rubrics import queries, services
from evalapp.rubrics.drafts import Condition, CriterionDraft, TagDraft, draft_of
from evalapp.rubrics.interchange import LARGEST_FILE
from evalapp.rubrics.kinds import choices, fixed_by
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.kinds.scale import Scale, ends_in_points, in_levels
from evalapp.rubrics.limits import (
    HIGHEST_LEVEL,
    LONGEST_EXAMPLE,
    LONGEST_HELP,
    LONGEST_INSTRUCTIONS,
    LONGEST_KEY,
    LONGEST_LEVEL_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TAG,
    LOWEST_LEVEL,
    MOST_CRITERIA,
    MOST_OPTIONS,
    MOST_STEPS,
    MOST_TAGS,
)
from evalapp.rubrics.models import Rubric, RubricVersion
from evalapp.rubrics.problems import hints
from evalapp.rubrics.queries import yaml_of
from evalapp.rubrics.services import fingerprint
from evalapp.rubrics.templates import TEMPLATES


class KindField(serializers.ChoiceField):
    """One of the criterion kinds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=choices(), **kwargs)


class TagSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(allow_blank=True)
    label = serializers.CharField()


class OptionSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    is_undesired = serializers.BooleanField()


class ConditionSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField()
    values = serializers.ListField(child=serializers.IntegerField())


class CriterionSerializer(serializers.Serializer[Any]):
    """One question. ``level_descriptions`` says what each level means ("1" … "5", or "yes" and "no");
    ``examples`` gives an example answer for a level. A category's levels are its ``options``, counted from 1.
    With ``visible_if`` the criterion is only asked if the named earlier criterion has one of these levels.
    """

    key = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    kind = KindField()
    help_text = serializers.CharField(allow_blank=True)
    minimum = serializers.IntegerField()
    maximum = serializers.IntegerField()
    steps_per_point = serializers.IntegerField(
        help_text="For a scale: 2 allows half points. `minimum`, `maximum` and `low_threshold` are points."
    )
    level_descriptions = serializers.DictField(child=serializers.CharField(allow_blank=True))
    weight = serializers.FloatField()
    is_required = serializers.BooleanField()
    allows_not_applicable = serializers.BooleanField()
    is_critical = serializers.BooleanField()
    low_threshold = serializers.IntegerField(allow_null=True)
    undesired = serializers.IntegerField(allow_null=True)
    lower_is_better = serializers.BooleanField(
        help_text="For a scale: the lowest level is the best, as for ranks."
    )
    tags = TagSerializer(many=True)
    options = OptionSerializer(many=True)
    examples = serializers.DictField(child=serializers.CharField(allow_blank=True))
    visible_if = ConditionSerializer(allow_null=True)

    def to_representation(self, instance: CriterionDraft) -> dict[str, Any]:
        return {**super().to_representation(instance), **ends_in_points(instance)}


class RubricTemplateSerializer(serializers.Serializer[Any]):
    template = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    instructions = serializers.CharField(allow_blank=True)
    criteria = CriterionSerializer(many=True)


class RubricHintSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()


class RubricVersionSerializer(ReadOnlySerializer):
    """``fingerprint`` identifies the version for edits (send it as ``based_on``). ``hints`` point out
    weaknesses that lower the quality of ratings, such as levels without a description. ``criterion_ids`` maps
    keys to ids.
    """

    rubric = serializers.IntegerField(source="rubric_id")
    criteria = serializers.SerializerMethodField()
    fingerprint = serializers.SerializerMethodField()
    criterion_ids = serializers.SerializerMethodField()
    hints = serializers.SerializerMethodField()
    created_by = CreatedByField()

    class Meta:
        model = RubricVersion
        fields = (
            "id", "rubric", "number", "instructions", "criteria", "criterion_ids", "fingerprint", "hints",
            "frozen_at", "created_by",
            "created_at",
        )  # fmt: skip

    @extend_schema_field(CriterionSerializer(many=True))
    def get_criteria(self, version: RubricVersion) -> Any:
        drafts = [draft_of(criterion) for criterion in version.criteria.all()]
        return CriterionSerializer(drafts, many=True).data

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_criterion_ids(self, version: RubricVersion) -> dict[str, int]:
        return {criterion.key: criterion.pk for criterion in version.criteria.all()}

    @extend_schema_field(RubricHintSerializer(many=True))
    def get_hints(self, version: RubricVersion) -> list[dict[str, str]]:
        drafts = [draft_of(criterion) for criterion in version.criteria.all()]
        return [
            {"criterion": drafts[hint.position].key, "field": hint.field, "message": hint.message}
            for hint in hints(drafts)
        ]

    def get_fingerprint(self, version: RubricVersion) -> str:
        return fingerprint(version)


class RubricSerializer(ReadOnlySerializer):
    """``latest_version`` is an id; null for a rubric without a version."""

    latest_version = serializers.SerializerMethodField()
    latest_number = serializers.SerializerMethodField()

    class Meta:
        model = Rubric
        fields = ("id", "name", "description", "latest_version", "latest_number", "created_at")

    def get_latest_version(self, rubric: Rubric) -> int | None:
        versions = list(rubric.versions.all())
        return versions[0].pk if versions else None

    def get_latest_number(self, rubric: Rubric) -> int | None:
        versions = list(rubric.versions.all())
        return versions[0].number if versions else None


class TagBody(Body):
    label = Text(max_length=LONGEST_TAG)
    key = Text(max_length=LONGEST_KEY, allow_blank=True, default="")


class OptionBody(Body):
    label = Text(max_length=LONGEST_TAG)
    is_undesired = Flag(default=False)


class ConditionBody(Body):
    criterion = Text(max_length=LONGEST_KEY)
    values = List(child=Whole(min_value=LOWEST_LEVEL, max_value=HIGHEST_LEVEL), max_length=MOST_OPTIONS)


class CriterionBody(Body):
    name = Text(max_length=LONGEST_NAME)
    kind = KindField(default=Scale.name)
    key = Text(max_length=LONGEST_KEY, allow_blank=True, default="")
    help_text = Text(max_length=LONGEST_HELP, allow_blank=True, default="")
    minimum = Whole(min_value=LOWEST_LEVEL, max_value=HIGHEST_LEVEL, required=False)
    maximum = Whole(min_value=LOWEST_LEVEL, max_value=HIGHEST_LEVEL, required=False)
    steps_per_point = Whole(min_value=1, max_value=MOST_STEPS, required=False)
    level_descriptions = serializers.DictField(
        child=Text(max_length=LONGEST_LEVEL_DESCRIPTION, allow_blank=True), required=False
    )
    weight = Number(min_value=0, max_value=100, default=1.0)
    is_required = Flag(default=True)
    allows_not_applicable = Flag(default=False)
    is_critical = Flag(default=False)
    low_threshold = Whole(min_value=LOWEST_LEVEL, max_value=HIGHEST_LEVEL, allow_null=True, required=False)
    undesired = Whole(max_value=1, allow_null=True, required=False)
    lower_is_better = Flag(default=False)
    tags = List(child=TagBody(), max_length=MOST_TAGS, required=False)
    options = List(child=OptionBody(), max_length=MOST_OPTIONS, required=False)
    examples = serializers.DictField(child=Text(max_length=LONGEST_EXAMPLE, allow_blank=True), required=False)
    visible_if = ConditionBody(required=False, allow_null=True)

    @staticmethod
    def draft_of(values: dict[str, Any]) -> CriterionDraft:
        """The criterion that checked values describe; the kind settles the levels of all but scales."""
        fields = {**values, "weight": Decimal(str(values["weight"]))}
        fields["tags"] = tuple(TagDraft(**tag) for tag in values.get("tags", ()))
        fields["options"] = tuple(Option(**option) for option in values.get("options", ()))
        if condition := values.get("visible_if"):
            fields["visible_if"] = Condition(condition["criterion"], tuple(condition["values"]))
        return CriterionDraft(**in_levels({**fixed_by(values["kind"], fields["options"]), **fields}))


class RubricVersionBody(Body):
    criteria = List(child=CriterionBody(), min_length=1, max_length=MOST_CRITERIA)
    instructions = Text(max_length=LONGEST_INSTRUCTIONS, allow_blank=True, default="")
    based_on = Text(
        max_length=64,
        required=False,
        allow_null=True,
        default=None,
        help_text="Fingerprint of the version that you edited; 412 if somebody has saved a newer version.",
    )


class RubricBody(Body):
    """Version 1 is created from ``template`` or from ``criteria``; without either, the rubric has no version
    yet.
    """

    name = Text(max_length=120)
    description = Text(max_length=2_000, allow_blank=True, default="")
    template = serializers.ChoiceField(choices=list(TEMPLATES), required=False, allow_null=True, default=None)
    criteria = List(child=CriterionBody(), min_length=1, max_length=MOST_CRITERIA, required=False)
    instructions = Text(max_length=LONGEST_INSTRUCTIONS, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["template"] and attrs.get("criteria"):
            raise serializers.ValidationError({"criteria": ["Give a template or criteria, not both."]})
        return attrs


class RubricFileBody(Body):
    yaml = Text(max_length=LARGEST_FILE)
    name = Text(
        max_length=120,
        allow_blank=True,
        default="",
        help_text="Name of the rubric, in place of the name in the file.",
    )


class RubricFileSerializer(serializers.Serializer[Any]):
    yaml = serializers.CharField()


class RubricView(ProjectView):
    required_permission = Permission.VIEW_RUBRICS
    post_permission = Permission.EDIT_RUBRICS

    def rubric(self, rubric_id: int) -> Rubric:
        return get_or_missing(queries.rubrics_of(self.project).select_related("project"), pk=rubric_id)


@route("rubrics/", "api_rubrics")
class RubricList(RubricView):
    order = ("name",)

    @operation("List rubrics", result=RubricSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.rubrics_of(self.project))

    @operation("Create a rubric", body=RubricBody, result=RubricSerializer, status=201)
    def post(self) -> object:
        values = self.body()
        criteria = values.pop("criteria", None)
        instructions = values.pop("instructions")
        with transaction.atomic():
            rubric = services.create_rubric(project=self.project, by=self.person, **values)
            if criteria:
                drafts = [CriterionBody.draft_of(each) for each in criteria]
                services.save_version(
                    rubric=rubric, criteria=drafts, instructions=instructions, by=self.person
                )
        return self.rubric(rubric.pk)


@route("rubrics/templates/", "api_rubric_templates")
class RubricTemplates(RubricView):
    @operation("List rubric templates", result=RubricTemplateSerializer, paged=True)
    def get(self) -> object:
        return self.page(
            [
                {
                    "template": key,
                    "name": template.name,
                    "description": template.description,
                    "instructions": template.instructions,
                    "criteria": template.criteria,
                }
                for key, template in TEMPLATES.items()
            ]
        )

    def key_of(self, row: dict[str, Any]) -> str:
        return str(row["template"])


@route("rubrics/<int:rubric_id>/", "api_rubric")
class RubricDetail(RubricView):
    @operation("Read a rubric", result=RubricSerializer)
    def get(self, rubric_id: int) -> object:
        return self.rubric(rubric_id)


@route("rubrics/<int:rubric_id>/versions/", "api_rubric_versions")
class RubricVersionList(RubricView):
    order = ("-number",)

    @operation("List a rubric's versions", result=RubricVersionSerializer, paged=True)
    def get(self, rubric_id: int) -> object:
        """With their criteria, latest first."""
        return self.page(queries.versions_of(self.rubric(rubric_id)))

    @operation("Save a rubric's criteria", body=RubricVersionBody, result=RubricVersionSerializer, status=201)
    def post(self, rubric_id: int) -> object:
        """Saves into the latest version if no campaign uses it, otherwise as a new version. A criterion that
        keeps its ``key`` stays comparable over versions.
        """
        rubric = self.rubric(rubric_id)
        values: dict[str, Any] = self.body()
        drafts = [CriterionBody.draft_of(each) for each in values.pop("criteria")]
        saved = services.save_version(rubric=rubric, criteria=drafts, by=self.person, **values)
        return queries.versions_of(rubric).get(pk=saved.pk)


@route("rubrics/<int:rubric_id>/versions/<int:number>/", "api_rubric_version")
class RubricVersionDetail(RubricView):
    @operation("Read a rubric version", result=RubricVersionSerializer)
    def get(self, rubric_id: int, number: int) -> object:
        return get_or_missing(queries.versions_of(self.rubric(rubric_id)), number=number)


@route("rubrics/yaml/", "api_rubric_import")
class RubricImport(RubricView):
    @operation("Import a rubric from YAML", body=RubricFileBody, result=RubricSerializer, status=201)
    def post(self) -> object:
        """Creates the rubric with version 1; the error lists every problem of the file."""
        values = self.body()
        rubric = services.import_rubric(
            project=self.project, content=values["yaml"].encode(), name=values["name"], by=self.person
        )
        return self.rubric(rubric.pk)


@route("rubrics/<int:rubric_id>/versions/<int:number>/yaml/", "api_rubric_file")
class RubricFile(RubricView):
    @operation("Export a rubric version as YAML", result=RubricFileSerializer)
    def get(self, rubric_id: int, number: int) -> object:
        """YAML text that can be imported again."""
        rubric = self.rubric(rubric_id)
        return {"yaml": yaml_of(rubric, get_or_missing(rubric.versions.all(), number=number))}
