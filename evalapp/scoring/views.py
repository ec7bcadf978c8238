from django.contrib import messages
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import MissingError
from evalapp.core.http import RefusalsOn
from evalapp.runs.models import TRAINING_KINDS, Output
from evalapp.scoring.forms import FORMS, RuleForm
from evalapp.scoring.models import RuleCheck
from evalapp.scoring.services import save_rule_check, set_rule_active, start_scoring

RUNS_SHOWN = 20


def _rule_or_missing(request: MemberRequest, rule_id: int) -> RuleCheck:
    rule = request.project.rule_checks.select_related("project").filter(pk=rule_id).first()
    if rule is None:
        raise MissingError("There is no such rule in this project.")
    return rule


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def rule_list(request: MemberRequest) -> HttpResponse:
    has_outputs = Exists(Output.objects.filter(run=OuterRef("pk")))
    runs = request.project.runs.filter(has_outputs).order_by("-id")[:RUNS_SHOWN]
    return render(
        request,
        "scoring/rules.html",
        {
            "rules": request.project.rule_checks.all(),
            "kinds": [(kind, form.title, form.explanation) for kind, form in FORMS.items()],
            "titles": {kind: form.title for kind, form in FORMS.items()},
            "runs": runs,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.EDIT_RUBRICS)
def rule_new(request: MemberRequest, kind: str) -> HttpResponse:
    if kind not in FORMS:
        raise MissingError("There is no rule of this kind.")
    return _edit(request, kind, FORMS[kind](request.POST or None), None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.EDIT_RUBRICS)
def rule_edit(request: MemberRequest, rule_id: int) -> HttpResponse:
    rule = _rule_or_missing(request, rule_id)
    form_class = FORMS[rule.kind]
    return _edit(
        request, rule.kind, form_class(request.POST or None, initial=form_class.initial_of(rule)), rule
    )


def _edit(request: MemberRequest, kind: str, form: RuleForm, rule: RuleCheck | None) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            save_rule_check(
                project=request.project,
                name=form.cleaned_data["name"],
                kind=kind,
                params=form.params(),
                by=request.user,
                rule_check=rule,
            )
            messages.success(request, "The rule is saved. Score a run again to apply it to existing outputs.")
            return redirect("rule_list", request.project.slug)
    context = {"form": form, "rule": rule}
    return render(request, "scoring/rule.html", context, status=400 if form.is_bound else 200)


@require_POST
@project_view(Permission.EDIT_RUBRICS)
def rule_use(request: MemberRequest, rule_id: int) -> HttpResponse:
    rule = _rule_or_missing(request, rule_id)
    set_rule_active(rule_check=rule, is_active=request.POST.get("active") == "1", by=request.user)
    return redirect("rule_list", request.project.slug)


@require_POST
@project_view(Permission.START_RUNS)
def run_score(request: MemberRequest, run_id: int) -> HttpResponse:
    run = (
        request.project.runs.exclude(kind__in=TRAINING_KINDS)
        .select_related("project")
        .filter(pk=run_id)
        .first()
    )
    if run is None:
        raise MissingError("There is no such run with outputs in this project.")
    job = start_scoring(run=run, by=request.user)
    return redirect("job_detail", request.project.slug, job.pk)
