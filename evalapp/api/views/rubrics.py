from dataclasses import asdict
from typing import Any

from django.db import transaction

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.rubrics import (
    CriterionBody,
    RubricBody,
    RubricSerializer,
    RubricTemplateSerializer,
    RubricVersionBody,
    RubricVersionSerializer,
)
from evalapp.core.http import get_or_missing
from evalapp.rubrics import queries, services
from evalapp.rubrics.models import Rubric
from evalapp.rubrics.templates import TEMPLATES


class RubricView(ProjectView):
    required_permission = Permission.VIEW_RUBRICS
    post_permission = Permission.EDIT_RUBRICS

    def rubric(self, rubric_id: int) -> Rubric:
        return get_or_missing(queries.rubrics_of(self.project).select_related("project"), pk=rubric_id)


class RubricList(RubricView):
    order = ("name",)

    @operation("List rubrics", result=RubricSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.rubrics_of(self.project))

    @operation("Make a rubric", body=RubricBody, result=RubricSerializer, status=201)
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


class RubricTemplates(RubricView):
    @operation("List rubric templates", result=RubricTemplateSerializer, paged=True)
    def get(self) -> object:
        return self.page([{"template": name, **asdict(template)} for name, template in TEMPLATES.items()])

    def key_of(self, row: dict[str, Any]) -> str:
        return str(row["template"])


class RubricDetail(RubricView):
    @operation("Read a rubric", result=RubricSerializer)
    def get(self, rubric_id: int) -> object:
        return self.rubric(rubric_id)


class RubricVersionList(RubricView):
    order = ("-number",)

    @operation("List a rubric's versions", result=RubricVersionSerializer, paged=True)
    def get(self, rubric_id: int) -> object:
        """With their criteria, latest first."""
        return self.page(queries.versions_of(self.rubric(rubric_id)))

    @operation("Save a rubric's criteria", body=RubricVersionBody, result=RubricVersionSerializer, status=201)
    def post(self, rubric_id: int) -> object:
        """Into the latest version while no campaign uses it, else as the next one. A criterion that keeps
        its ``key`` stays comparable over versions.
        """
        rubric = self.rubric(rubric_id)
        values: dict[str, Any] = self.body()
        drafts = [CriterionBody.draft_of(each) for each in values.pop("criteria")]
        saved = services.save_version(rubric=rubric, criteria=drafts, by=self.person, **values)
        return queries.versions_of(rubric).get(pk=saved.pk)


class RubricVersionDetail(RubricView):
    @operation("Read a rubric's version", result=RubricVersionSerializer)
    def get(self, rubric_id: int, number: int) -> object:
        return get_or_missing(queries.versions_of(self.rubric(rubric_id)), number=number)
