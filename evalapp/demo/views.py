from typing import NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import MissingError
from evalapp.demo.models import Demonstration, Track
from evalapp.demo.story import STEPS
from evalapp.runs.programs.model_programs import why_not_runnable

PAGES = {
    "training": "run_detail",
    "generation": "run_detail",
    "campaign": "result_detail",
    "export": "export_detail",
}


class ShownStep(NamedTuple):
    title: str
    state: str
    address: str


class ShownTrack(NamedTuple):
    demonstration: Demonstration
    steps: list[ShownStep]


@require_safe
@project_view(Permission.VIEW_HOME)
def demonstration(request: MemberRequest) -> HttpResponse:
    """The demonstration's progress by step, with the running job."""
    if not request.project.is_demonstration:
        raise MissingError("This project is not a demonstration.")
    tracks = (
        Demonstration.objects.filter(project=request.project)
        .select_related("project", "job__created_by", "job__project")
        .order_by("track")
    )
    shown = [ShownTrack(each, list(_steps(each))) for each in tracks]
    return render(
        request,
        "demo/progress.html",
        {
            "tracks": shown,
            "why_not_live": "" if any(each.track == Track.LIVE for each in tracks) else why_not_runnable(),
        },
    )


def _steps(each: Demonstration) -> list[ShownStep]:
    def state(position: int) -> str:
        if position < each.position or each.finished_at:
            return "done"
        return "now" if position == each.position else "later"

    return [
        ShownStep(step.title, state(position), _address(each, step.made))
        for position, step in enumerate(STEPS)
    ]


def _address(each: Demonstration, made: str) -> str:
    """The page of the object that a step made; empty if it has made none yet."""
    if made not in each.objects_made:
        return ""
    return reverse(PAGES[made.rsplit("_", maxsplit=1)[-1]], args=[each.project.slug, each.objects_made[made]])
