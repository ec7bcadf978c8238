from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.jobs import JobEventSerializer, JobQuery, JobSerializer, PriorityBody
from evalapp.core.http import get_or_missing
from evalapp.jobs import queries, services
from evalapp.jobs.models import Job


class JobView(ProjectView):
    required_permission = Permission.VIEW_RUNS

    def job(self, job_id: int) -> Job:
        return get_or_missing(queries.jobs_of(self.project), pk=job_id)


class JobList(JobView):
    @operation("List jobs", query=JobQuery, result=JobSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.jobs_of(self.project, state=self.query["state"]))


class JobDetail(JobView):
    @operation("Read a job", result=JobSerializer)
    def get(self, job_id: int) -> object:
        """State, progress and result. Ask every second or two until ``is_over``."""
        return self.job(job_id)


class JobEvents(JobView):
    order = ("id",)

    @operation("Read a job's log", result=JobEventSerializer, paged=True)
    def get(self, job_id: int) -> object:
        """Oldest line first."""
        return self.page(self.job(job_id).events.all())


class JobCancel(JobView):
    post_permission = Permission.START_RUNS

    @operation("Cancel a job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """A waiting job ends at once; a running one saves its work first. 409 when it is over."""
        job = self.job(job_id)
        self.body()
        services.request_cancel(job=job, by=self.person)
        return job


class JobPause(JobView):
    post_permission = Permission.START_RUNS

    @operation("Pause a job", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """A waiting job waits until it is told to go on; a running one saves its work and frees its worker.
        409 when it is over or being cancelled.
        """
        job = self.job(job_id)
        self.body()
        services.request_pause(job=job, by=self.person)
        return job


class JobResume(JobView):
    post_permission = Permission.START_RUNS

    @operation("Let a paused job go on", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """It continues from what it saved, when its turn comes. 409 unless it is paused."""
        job = self.job(job_id)
        self.body()
        services.resume_job(job=job, by=self.person)
        return job


class JobPriority(JobView):
    post_permission = Permission.START_RUNS

    @operation("Set a waiting job's priority", body=PriorityBody, result=JobSerializer)
    def post(self, job_id: int) -> object:
        """It orders the project's own jobs and takes no turn from another project. 409 once the job has begun."""
        job = self.job(job_id)
        services.set_priority(job=job, priority=self.body()["priority"], by=self.person)
        return job


class JobRetry(JobView):
    post_permission = Permission.START_RUNS

    @operation("Try a job again", result=JobSerializer)
    def post(self, job_id: int) -> object:
        """It continues from what was saved. 409 unless it failed or was cancelled."""
        job = self.job(job_id)
        self.body()
        services.retry_job(job=job, by=self.person)
        return job
