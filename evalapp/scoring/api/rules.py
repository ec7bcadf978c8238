"""Rule checks, and scoring a run."""

from django.db import transaction
from django.forms import model_to_dict
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, Flag, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.jobs.api import JobSerializer
from evalapp.runs.api.runs import RunView
from evalapp.runs.models import TRAINING_KINDS
from evalapp.scoring.forms import FORMS
from evalapp.scoring.models import RuleCheck
from evalapp.scoring.services import save_rule_check, set_rule_active, start_scoring


class RuleCheckSerializer(ReadOnlySerializer):
    """A rule check; ``params`` depend on ``kind``."""

    params = serializers.DictField()

    class Meta:
        model = RuleCheck
        fields = ("id", "name", "kind", "params", "position", "is_active", "created_at")


class RuleCheckBody(Body):
    name = Text(max_length=80)
    kind = serializers.ChoiceField(choices=list(FORMS))
    params = Fields(default=dict)


class RuleCheckChange(Body):
    name = Text(max_length=80)
    params = Fields()
    is_active = Flag()


class RuleView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_RUBRICS

    def rule(self, rule_id: int) -> RuleCheck:
        return get_or_missing(self.project.rule_checks.select_related("project"), pk=rule_id)


@route("rules/", "api_rules")
class RuleList(RuleView):
    order = ("position", "id")

    @operation("List rule checks", result=RuleCheckSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.rule_checks.all())

    @operation("Create a rule check", body=RuleCheckBody, result=RuleCheckSerializer, status=201)
    def post(self) -> object:
        """The rule is applied the next time a run is scored."""
        return save_rule_check(project=self.project, by=self.person, **self.body())


@route("rules/<int:rule_id>/", "api_rule")
class RuleDetail(RuleView):
    @operation("Read a rule check", result=RuleCheckSerializer)
    def get(self, rule_id: int) -> object:
        return self.rule(rule_id)

    @operation("Change a rule check", body=RuleCheckChange, result=RuleCheckSerializer)
    def patch(self, rule_id: int) -> object:
        """Fields that are left out are unchanged. An inactive rule keeps its results but gets no new ones."""
        rule = self.rule(rule_id)
        values = self.changes(model_to_dict(rule, fields=RuleCheckChange().fields))
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


@route("runs/<int:run_id>/score/", "api_run_score")
class RunScoring(RunView):
    @operation("Score a run", result=JobSerializer, status=202)
    def post(self, run_id: int) -> object:
        """Computes all metrics and the active rules; scoring again replaces the results."""
        run = self.run(run_id)
        self.body()
        if run.kind in TRAINING_KINDS:
            raise InvalidError("A training has no outputs to score. Score a generation or an import.")
        return start_scoring(run=run, by=self.person)
