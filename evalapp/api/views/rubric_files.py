"""Rubrics as YAML files, and two versions of one linked by what was scored under both."""

from django.db.models import QuerySet

from evalapp.accounts.permissions import Permission
from evalapp.analysis.version_link import link_versions
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.rubric_files import (
    RubricFileBody,
    RubricFileSerializer,
    VersionLinkQuery,
    VersionLinkSerializer,
)
from evalapp.api.serializers.rubrics import RubricSerializer
from evalapp.api.views.rubrics import RubricView
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.rubrics import services
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.queries import versions_of, yaml_of


class RubricImport(RubricView):
    @operation("Import a rubric from YAML", body=RubricFileBody, result=RubricSerializer, status=201)
    def post(self) -> object:
        """At once with its version 1; refused with all that is wrong in the file."""
        values = self.body()
        rubric = services.import_rubric(
            project=self.project, content=values["yaml"].encode(), name=values["name"], by=self.person
        )
        return self.rubric(rubric.pk)


class RubricFile(RubricView):
    @operation("Take a rubric's version as YAML", result=RubricFileSerializer)
    def get(self, rubric_id: int, number: int) -> object:
        """The text of the file, which can be imported as it is."""
        rubric = self.rubric(rubric_id)
        return {"yaml": yaml_of(rubric, get_or_missing(rubric.versions.all(), number=number))}


class RubricLink(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Link two versions of a rubric", query=VersionLinkQuery, result=VersionLinkSerializer)
    def get(self, rubric_id: int) -> object:
        """How far the later one reads as the earlier did, on the outputs that the same people scored under
        both. Without numbers, the latest two; 404 where there are no two.
        """
        versions = versions_of(get_or_missing(self.project.rubrics.all(), pk=rubric_id))
        later = self._version(versions, self.query["later"])
        earlier = self._version(versions.filter(number__lt=later.number), self.query["earlier"])
        return link_versions(earlier, later)

    @staticmethod
    def _version(versions: QuerySet[RubricVersion], number: int | None) -> RubricVersion:
        """The one with this number, or the latest."""
        found = versions.first() if number is None else versions.filter(number=number).first()
        if found is None:
            raise MissingError("There is no such version, or none earlier than the other.")
        return found
