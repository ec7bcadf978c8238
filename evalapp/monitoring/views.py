"""Pages of a project's streams: plans, weeks and their results."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.queries import usable_rubrics
from evalapp.core.errors import ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, show_problem, status_of
from evalapp.core.paging import keyset_page
from evalapp.core.uploads import takes_imports
from evalapp.imports.problems import ImportProblemsError
from evalapp.monitoring import services
from evalapp.monitoring.charts import weekly_chart
from evalapp.monitoring.daily.lines import metric_lines
from evalapp.monitoring.deployments.queries import serving, starts_of
from evalapp.monitoring.evaluation import more_reviews
from evalapp.monitoring.events.reading import events_of_file
from evalapp.monitoring.events.storage import import_events
from evalapp.monitoring.forms import EventsForm, StreamForm, StreamTokenForm
from evalapp.monitoring.incidents.queries import incidents_of
from evalapp.monitoring.key_figures import key_figures_of, key_figures_of_streams
from evalapp.monitoring.models import KeyFigureRole, Stream, WeeklyMetric, WeeklySampleState
from evalapp.monitoring.otlp.refused import refused_spans
from evalapp.monitoring.queries import (
    followed_criteria,
    streams_of,
    weeks_of,
)
from evalapp.monitoring.stream_tokens import create_stream_token, tokens_of_stream
from evalapp.monitoring.trends import CriterionTrend
from evalapp.monitoring.weeks import sample_now
from evalapp.rubrics.models import RubricVersion
from evalapp.webhooks.views import site_of

STREAMS_ON_PAGE = 10
WEEKS_SHOWN = 8
MOST_LINES = 6
"""Charted metrics of all outputs at first; the most relevant if there are more."""
MOST_CHARTS = 3
"""Weekly charts at first; those of key figures and of metrics that got worse if there are more."""
INCIDENTS_SHOWN = 10
SAMPLES_ON_PAGE = 50


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def stream_list(request: MemberRequest) -> HttpResponse:
    project = request.project
    demonstrations = project.demonstrations.filter(finished_at=None)
    page = keyset_page(streams_of(project), request, size=STREAMS_ON_PAGE)
    context = {
        "is_being_made": project.is_demonstration and demonstrations.exists(),
        "page": page,
        "rows": key_figures_of_streams(page.rows),
        "roles": KeyFigureRole,
        "has_rubric": usable_rubrics(request.project).exists(),
    }
    return render(request, "monitoring/list.html", context)


def _stream(request: MemberRequest, stream_id: int) -> Stream:
    return get_or_missing(streams_of(request.project), pk=stream_id)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def stream_new(request: MemberRequest) -> HttpResponse:
    """The form for a plan over one rubric version: the one in the URL, else the newest."""
    rubrics = list(usable_rubrics(request.project))
    chosen = next((each for each in rubrics if str(each.pk) == request.GET.get("rubric")), None)
    chosen = chosen or (rubrics[0] if rubrics else None)
    if chosen is None:
        return render(request, "monitoring/new.html", {"form": None, "stream": None})
    form = StreamForm(request.POST or None, project=request.project, rubric_version=chosen)
    return _saved(request, form, rubrics, chosen, None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def stream_edit(request: MemberRequest, stream_id: int) -> HttpResponse:
    stream = _stream(request, stream_id)
    if request.method != "POST" and stream.ended_at is not None:
        return redirect("stream_detail", request.project.slug, stream.pk)
    rubrics = list(usable_rubrics(request.project))
    named = next((each for each in rubrics if str(each.pk) == request.GET.get("rubric")), None)
    chosen = named or stream.rubric_version
    form = StreamForm(request.POST or None, project=request.project, rubric_version=chosen, stream=stream)
    return _saved(request, form, rubrics, chosen, stream)


def _saved(
    request: MemberRequest,
    form: StreamForm,
    rubrics: list[RubricVersion],
    chosen: RubricVersion,
    stream: Stream | None,
) -> HttpResponse:
    """The form, or after saving a redirect to the stream's page."""
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            if stream is None:
                saved = services.create_stream(
                    project=request.project, plan=form.plan(), site=site_of(request), by=request.user
                )
            else:
                saved = services.change_stream(stream=stream, plan=form.plan(), by=request.user)
            messages.success(request, f"The stream “{saved}” is saved. It is sampled from its next week on.")
            return redirect("stream_detail", request.project.slug, saved.pk)
    context = {"form": form, "rubrics": rubrics, "chosen": chosen, "stream": stream}
    return render(request, "monitoring/new.html", context, status=status_of(form))


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def stream_detail(request: MemberRequest, stream_id: int) -> HttpResponse:
    return _render(request, _stream(request, stream_id))


def _render(request: MemberRequest, stream: Stream, *, problem: ProblemError | None = None) -> HttpResponse:
    followed = followed_criteria(stream)
    lines = metric_lines(stream)
    key_figures = key_figures_of(stream, followed, lines)
    beside = [each.all_outputs for each in key_figures]
    # The other metrics are one click away.
    first_lines = [
        each
        for each in lines
        if each.series.is_count or each.is_outside or each in beside or len(lines) <= MOST_LINES
    ]
    weeks = list(weeks_of(stream)[:WEEKS_SHOWN])
    evaluated = {week.pk for week in weeks if week.state == WeeklySampleState.EVALUATED}
    metrics = {
        (metric.weekly_sample_id, metric.criterion_key): metric
        for metric in WeeklyMetric.objects.filter(weekly_sample__in=evaluated)
    }
    charts = _charts(stream, followed)
    of_figures = [each.people for each in key_figures]
    first_charts = [
        each
        for each in charts
        if each["of"] in of_figures or each["of"].is_past_threshold or each["of"].is_drifting
    ]
    if len(charts) <= MOST_CHARTS or not first_charts:
        first_charts = charts[:MOST_CHARTS]
    context: dict[str, Any] = {
        "stream": stream,
        "followed": followed,
        "first_charts": first_charts,
        "more_charts": [each for each in charts if each not in first_charts],
        "weeks": [
            {
                "week": week,
                "metrics": [
                    (each.last.criterion_name, metrics.get((week.pk, each.last.criterion_key)))
                    for each in followed
                ],
            }
            for week in weeks
        ],
        "criteria": [each.last for each in followed],
        "incidents": list(
            incidents_of(request.project)
            .filter(stream=stream)
            .prefetch_related("alerts__cause_reviewer")[:INCIDENTS_SHOWN]
        ),
        "metric_lines": lines,
        "daily_alerts": [each.alert for each in lines if each.alert is not None],
        "first_lines": first_lines,
        "more_lines": [each for each in lines if each not in first_lines],
        "key_figures": key_figures,
        "serving": list(serving(stream)),
        "is_due": stream.next_sample_at <= timezone.now(),
        "waits_to_be_sampled": any(
            week.state in (WeeklySampleState.EMPTY, WeeklySampleState.DUE) for week in weeks
        ),
        "problem": problem,
    }
    return render(request, "monitoring/detail.html", context, status=problem.status if problem else 200)


def _charts(stream: Stream, followed: Sequence[CriterionTrend]) -> list[dict[str, Any]]:
    """The weekly chart of each criterion, with the deployments since its first week."""
    begins = [metric.weekly_sample.begins_at.date() for each in followed for metric in each.metrics]
    deployed = starts_of(stream, since=min(begins)) if begins else []
    return [
        {"of": each, "chart": weekly_chart(each, deployed), "id": f"weekly-{each.last.criterion_key}"}
        for each in followed
    ]


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def stream_week(request: MemberRequest, stream_id: int, number: int) -> HttpResponse:
    """A week's sample, with the inclusion probability of each output."""
    stream = _stream(request, stream_id)
    week = get_or_missing(weeks_of(stream), number=number)
    samples = week.samples.select_related("key", "output").order_by("id")
    page = keyset_page(samples, request, order=("id",), size=SAMPLES_ON_PAGE)
    context = {"stream": stream, "week": week, "page": page, "more_reviews": more_reviews(week)}
    return render(request, "monitoring/week.html", context)


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def stream_import(request: MemberRequest, stream_id: int) -> HttpResponse:
    stream = _stream(request, stream_id)
    if request.method != "POST" and stream.ended_at is not None:
        return redirect("stream_detail", request.project.slug, stream.pk)
    form = EventsForm(request.POST, request.FILES) if request.method == "POST" else EventsForm()
    status = 400 if form.is_bound else 200
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            imported = import_events(
                stream=stream, rows=events_of_file(file.file, file.name), by=request.user
            )
        except ImportProblemsError as error:
            show_problem(form, error)
            form.add_error(None, "Nothing was imported.")
        except ProblemError as error:
            return _render(request, stream, problem=error)
        else:
            tell = messages.warning if imported.not_reviewed else messages.success
            tell(request, imported.message)
            return redirect("stream_detail", request.project.slug, stream.pk)
    return _render_import(request, stream, form, StreamTokenForm(), status=status)


@never_cache
@require_POST
@project_view(Permission.EDIT_DATA)
def stream_token_new(request: MemberRequest, stream_id: int) -> HttpResponse:
    """Create a token of this person that can only send events to this stream; its secret is shown only
    now.
    """
    stream = _stream(request, stream_id)
    form = StreamTokenForm(request.POST)
    if form.is_valid():
        with RefusalsOn(form):
            made = create_stream_token(stream=stream, name=form.cleaned_data["name"], by=request.user)
            return _render_import(
                request, stream, EventsForm(), StreamTokenForm(), secret=made.secret, status=201
            )
    return _render_import(request, stream, EventsForm(), form, status=status_of(form))


def _render_import(
    request: MemberRequest,
    stream: Stream,
    form: EventsForm,
    token_form: StreamTokenForm,
    *,
    status: int,
    secret: str = "",
) -> HttpResponse:
    context = {
        "stream": stream,
        "form": form,
        "token_form": token_form,
        "secret": secret,
        "tokens": tokens_of_stream(stream),
        "address": f"{site_of(request)}/api/v1",
        "refused": refused_spans(stream),
    }
    return render(request, "monitoring/import.html", context, status=status)


def _redirect_with_message(request: MemberRequest, stream: Stream, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect("stream_detail", request.project.slug, stream.pk)


def _action_view(service: Callable[..., object], words: str) -> Callable[..., HttpResponse]:
    @require_POST
    @project_view(Permission.EDIT_CAMPAIGNS)
    def view(request: MemberRequest, stream_id: int) -> HttpResponse:
        try:
            service(stream=_stream(request, stream_id), by=request.user)
        except ProblemError as error:
            return _render(request, _stream(request, stream_id), problem=error)
        return _redirect_with_message(request, _stream(request, stream_id), words)

    view.__name__ = service.__name__
    return view


stream_pause = _action_view(services.pause_stream, "Paused: no week is sampled until you resume.")
stream_resume = _action_view(services.resume_stream, "Resumed: the week that runs now is sampled at its end.")
stream_end = _action_view(services.end_stream, "Ended: no more weeks are sampled, and everything is kept.")
stream_sample = _action_view(sample_now, "The week is being sampled.")
