from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.analysis.classification import CandidateLabels, classification_of
from evalapp.analysis.scores import load_scores
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.classification import (
    CandidateLabelsSerializer,
    ClassificationQuery,
    LabelParserBody,
    LabelParserSerializer,
)
from evalapp.api.views.analysis import AnalysisView
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import Dataset
from evalapp.scoring.labels import delete_label_parser, save_label_parser
from evalapp.scoring.models import LabelParser


class LabelParserDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_DATA

    def dataset(self, dataset_id: int) -> Dataset:
        return get_or_missing(self.project.datasets.select_related("project"), pk=dataset_id)

    @operation("Read a dataset's label parser", result=LabelParserSerializer)
    def get(self, dataset_id: int) -> object:
        """404 where none is declared."""
        return get_or_missing(LabelParser.objects.all(), dataset=self.dataset(dataset_id))

    @operation("Declare a dataset's label parser", body=LabelParserBody, result=LabelParserSerializer)
    def put(self, dataset_id: int) -> object:
        """Labels are read by it when a run is scored."""
        dataset = self.dataset(dataset_id)
        return save_label_parser(dataset=dataset, by=self.person, **self.body())

    @operation("Delete a dataset's label parser", status=204)
    def delete(self, dataset_id: int) -> object:
        delete_label_parser(dataset=self.dataset(dataset_id), by=self.person)
        return Response(status=204)


class ClassificationList(AnalysisView):
    @operation("Read F1 of labels", query=ClassificationQuery, result=CandidateLabelsSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """By candidate, with the confusion matrix; empty where the dataset has no label parser."""
        return self.page(classification_of(load_scores(self.campaign(campaign_id))))

    def key_of(self, row: CandidateLabels) -> str:
        return f"{row.candidate.position:06d}"
