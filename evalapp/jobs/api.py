"""Jobs: their state and actions."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Paging, ReadOnlySerializer
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.jobs import queries, services
from evalapp.jobs.models import Job, JobEvent, Priority
from evalapp.jobs.queries import STATE_FILTERS

PRIORITIES = [(priority.name.lower(), priority.label) for priority in Priority]


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=PRIORITIES, **options)

    def to_internal_value(self, data: Any) -> Any:
        return Priority[str(super().to_internal_value(data)).upper()]

    def to_representation(self, value: Any) -> str:
        return Priority(value).name.lower()


class PriorityBody(Body):
    priority = PriorityField()


class JobSerializer(ReadOnlySerializer):
    """A long-running task. Poll it until ``is_over`` is true."""

    created_by = CreatedByField()
    paused_by = CreatedByField()
    priority = PriorityField()
    is_over = serializers.BooleanField()
    percent = serializers.IntegerField(allow_null=True)
    lacks = serializers.ListField(
        child=serializers.CharField(),
        help_text="For a waiting job: one sentence for each machine that cannot run it, with the reason.",
    )

    class Meta:
        model = Job
        fields = (
            "id", "title", "queue", "priority", "state", "is_over", "stage", "progress_done",
            "progress_total", "percent",
            "eta_seconds", "attempt", "lost_attempts", "error", "lacks", "result", "created_by", "created_at",
            "started_at",
            "finished_at", "queued_at", "claimed_at", "device", "paused_by", "pause_requested_at",
        )  # fmt: skip


class JobEventSerializer(ReadOnlySerializer):
    class Meta:
        model = JobEvent
        fields = ("id", "at", "attempt", "level", "text", "data")


class JobQuery(Paging):
    state = serializers.ChoiceField(choices=list(STATE_FILTERS), required=False, default="")


class JobView(ProjectView):
    required_permission = Permission.VIEW_RUNS

    def job(self, job_id: int) -> Job:
        return get_or_missing(queries.jobs_of(self.project), pk=job_id)


@route("jobs/", "api_jobs")
class JobList(JobView):
    @operation("List jobs", query=JobQuery, result=JobSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.jobs_of(self.project, state=self.query["state"]))


@route("jobs/<int:job_id>/", "api_job")
class JobDetail(JobView):
    @operation("Read a job", result=JobSerializer)
    def get(self, job_id: int) -> object:
        """State, progress and result. Poll every second or two until ``is_over`` is true."""
        return self.job(job_id)


@route("jobs/<int:job_id>/events/", "api_job_events")
class JobEvents(JobView):
    order = ("id",)

    @operation("Read a job's log", result=JobEventSerializer, paged=True)
    def get(self, job_id: int) -> object:
        """Oldest line first."""
        return self.page(self.job(job_id).events.all())


@route("jobs/<int:job_id>/cancel/", "api_job_cancel")
class JobCancel(JobView):
    post_permission = Permission.START_RUNS

    @operation("Cancel a job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """A waiting job ends at once; a running one saves its work first. 409 if the job has ended."""
        job = self.job(job_id)
        self.body()
        services.request_cancel(job=job, by=self.person)
        return job


@route("jobs/<int:job_id>/pause/", "api_job_pause")
class JobPause(JobView):
    post_permission = Permission.START_RUNS

    @operation("Pause a job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """A waiting job stays in the queue until it is resumed; a running one saves its work and frees its
        worker. 409 if the job has ended or is being cancelled.
        """
        job = self.job(job_id)
        self.body()
        services.request_pause(job=job, by=self.person)
        return job


@route("jobs/<int:job_id>/resume/", "api_job_resume")
class JobResume(JobView):
    post_permission = Permission.START_RUNS

    @operation("Resume a paused job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """It continues from its saved work when its turn comes. 409 unless it is paused."""
        job = self.job(job_id)
        self.body()
        services.resume_job(job=job, by=self.person)
        return job


@route("jobs/<int:job_id>/priority/", "api_job_priority")
class JobPriority(JobView):
    post_permission = Permission.START_RUNS

    @operation("Set a waiting job's priority", body=PriorityBody, result=JobSerializer)
    def post(self, job_id: int) -> object:
        """The priority orders jobs within the project only. 409 once the job has started."""
        job = self.job(job_id)
        services.set_priority(job=job, priority=self.body()["priority"], by=self.person)
        return job


@route("jobs/<int:job_id>/retry/", "api_job_retry")
class JobRetry(JobView):
    post_permission = Permission.START_RUNS

    @operation("Retry a job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """It continues from its saved work. 409 unless it failed or was cancelled."""
        job = self.job(job_id)
        self.body()
        services.retry_job(job=job, by=self.person)
        return job
