"""How labels are read from the answers of a dataset."""

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Flag, List, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import Dataset
from evalapp.metrics.labels import LONGEST_LABEL, MOST_LABELS
from evalapp.scoring.labels import LONGEST_FIELD, LONGEST_PATTERN, delete_label_parser, save_label_parser
from evalapp.scoring.models import LabelParser, ParserKind


class LabelParserSerializer(ReadOnlySerializer):
    """How to read a label from an output, for comparison with the rows' labels."""

    labels = serializers.ListField(
        child=serializers.CharField(), help_text="Allowed labels; empty: the labels of the rows."
    )

    class Meta:
        model = LabelParser
        fields = ("kind", "pattern", "field", "ignore_case", "labels", "created_at")


class LabelParserBody(Body):
    kind = serializers.ChoiceField(choices=ParserKind.choices)
    pattern = Text(max_length=LONGEST_PATTERN, required=False, allow_blank=True, default="")
    field = Text(max_length=LONGEST_FIELD, required=False, allow_blank=True, default="")
    ignore_case = Flag(required=False, default=True)
    labels = List(child=Text(max_length=LONGEST_LABEL), required=False, default=list, max_length=MOST_LABELS)


@route("datasets/<int:dataset_id>/label-parser/", "api_label_parser")
class LabelParserDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_DATA

    def dataset(self, dataset_id: int) -> Dataset:
        return get_or_missing(self.project.datasets.select_related("project"), pk=dataset_id)

    @operation("Read a dataset's label parser", result=LabelParserSerializer)
    def get(self, dataset_id: int) -> object:
        """404 if the dataset has none."""
        return get_or_missing(LabelParser.objects.all(), dataset=self.dataset(dataset_id))

    @operation("Set a dataset's label parser", body=LabelParserBody, result=LabelParserSerializer)
    def put(self, dataset_id: int) -> object:
        """Scoring a run then reads labels with it."""
        dataset = self.dataset(dataset_id)
        return save_label_parser(dataset=dataset, by=self.person, **self.body())

    @operation("Delete a dataset's label parser", status=204)
    def delete(self, dataset_id: int) -> object:
        delete_label_parser(dataset=self.dataset(dataset_id), by=self.person)
        return Response(status=204)
