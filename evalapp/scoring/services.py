from typing import Any

from django.db import transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name, has_visible
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job
from evalapp.metrics.rules import Rule, RuleError, rule_from_dict
from evalapp.runs.models import Run
from evalapp.scoring.models import RuleCheck

SCORE_TASK = "evalapp.scoring.tasks.score_run"


def start_scoring(*, run: Run, by: User | None) -> Job:
    """Score every output of a generation or import with all metrics and the project's active rules.

    Scoring again replaces the results, which also applies rules added later. A queued scoring will apply them
    too, so it is returned instead of a new one. Raises InvalidError if there are no outputs yet.
    """
    waiting = run.project.jobs.filter(task=SCORE_TASK, params__run=run.pk, state=JobState.QUEUED).first()
    if waiting is not None:
        return waiting
    if not run.outputs.exists():
        raise InvalidError(f"“{run.name}” has no outputs to score yet; wait for it to end.")
    return create_job(
        project=run.project, task=SCORE_TASK, title=f"Score {run.name}", by=by, params={"run": run.pk}
    )


def scoring_of(run: Run) -> Job | None:
    """The newest scoring of the run that has succeeded or is still going; None without one."""
    unsuccessful = [JobState.FAILED, JobState.DEAD, JobState.CANCELLED]
    jobs = run.project.jobs.filter(task=SCORE_TASK, params__run=run.pk).exclude(state__in=unsuccessful)
    return jobs.order_by("-id").first()


@transaction.atomic
def save_rule_check(
    *,
    project: Project,
    name: str,
    kind: str,
    params: dict[str, Any],
    by: User | None,
    rule_check: RuleCheck | None = None,
) -> RuleCheck:
    """Create or change a rule check; results change at the next scoring. Raises InvalidError."""
    name = checked_name(name, of="the rule", longest=80)
    read_rule(name, kind, params)
    others = project.rule_checks.filter(name__iexact=name)
    if rule_check is not None:
        others = others.exclude(pk=rule_check.pk)
    if others.exists():
        raise InvalidError(f"There is a rule named “{name}” already.", field="name")
    if rule_check is None:
        last = project.rule_checks.aggregate(last=Max("position"))["last"]
        rule_check = RuleCheck.objects.create(
            project=project, name=name, kind=kind, params=params, position=(last or 0) + 1, created_by=by
        )
    else:
        rule_check.name, rule_check.kind, rule_check.params = name, kind, params
        rule_check.save(update_fields=["name", "kind", "params"])
    record("rule_check.saved", by=by, obj=rule_check, project=project, data={"kind": kind, "params": params})
    return rule_check


@transaction.atomic
def set_rule_active(*, rule_check: RuleCheck, is_active: bool, by: User) -> None:
    """Deactivate a rule without deleting its results, or activate it again."""
    rule_check.is_active = is_active
    rule_check.save(update_fields=["is_active"])
    action = "rule_check.activated" if is_active else "rule_check.retired"
    record(action, by=by, obj=rule_check, project=rule_check.project)


def read_rule(name: str, kind: str, params: dict[str, Any]) -> Rule:
    """The rule that a definition describes. Raises InvalidError with the field that is wrong."""
    for field in ("name", "kind"):
        if field in params:
            raise InvalidError(f"“{field}” belongs beside the params, not in them.", field=field)
    for field, value in params.items():
        for number, text in enumerate(value if isinstance(value, list) else [value], start=1):
            if isinstance(text, str) and not has_visible(text):
                which = f"Text {number}" if isinstance(value, list) else "The text"
                raise InvalidError(
                    f"{which} has no visible characters; write the text to search for.", field=field
                )
    try:
        return rule_from_dict({**params, "kind": kind, "name": name})
    except RuleError as error:
        field = error.field or "params"
        raise InvalidError(
            f"{str(error)[:1].upper()}{str(error)[1:]}.", fields={field: [str(error)]}
        ) from error
