from django.db import transaction

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.scoring import RuleCheckBody, RuleCheckChange, RuleCheckSerializer
from evalapp.core.http import get_or_missing
from evalapp.scoring.models import RuleCheck
from evalapp.scoring.services import save_rule_check, set_rule_active


class RuleView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_RUBRICS

    def rule(self, rule_id: int) -> RuleCheck:
        return get_or_missing(self.project.rule_checks.select_related("project"), pk=rule_id)


class RuleList(RuleView):
    order = ("position", "id")

    @operation("List rule checks", result=RuleCheckSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.rule_checks.all())

    @operation("Make a rule check", body=RuleCheckBody, result=RuleCheckSerializer, status=201)
    def post(self) -> object:
        """It is applied by the next scoring of a run."""
        return save_rule_check(project=self.project, by=self.person, **self.body())


class RuleDetail(RuleView):
    @operation("Read a rule check", result=RuleCheckSerializer)
    def get(self, rule_id: int) -> object:
        return self.rule(rule_id)

    @operation("Change a rule check", body=RuleCheckChange, result=RuleCheckSerializer)
    def put(self, rule_id: int) -> object:
        """An inactive rule keeps its results and gets no new ones."""
        rule = self.rule(rule_id)
        values = self.body()
        with transaction.atomic():
            save_rule_check(
                project=self.project,
                name=values["name"],
                kind=rule.kind,
                params=values["params"],
                by=self.person,
                rule_check=rule,
            )
            if rule.is_active != values["is_active"]:
                set_rule_active(rule_check=rule, is_active=values["is_active"], by=self.person)
        return rule
