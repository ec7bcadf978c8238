from django.db import models
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    CANCELLING = "cancelling", "Cancelling"
    PAUSING = "pausing", "Pausing"
    PAUSED = "paused", "Paused"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DEAD = "dead", "Dead"
    CANCELLED = "cancelled", "Cancelled"


class Priority(models.IntegerChoices):
    """Orders the waiting jobs of one project; it does not affect other projects."""

    LOW = 1, "Low"
    NORMAL = 2, "Normal"
    HIGH = 3, "High"


ACTIVE_STATES = [JobState.STARTING, JobState.RUNNING, JobState.CANCELLING, JobState.PAUSING]
FINAL_STATES = [JobState.SUCCEEDED, JobState.FAILED, JobState.DEAD, JobState.CANCELLED]


class Job(BaseModel):
    """A long-running task. This row is the job; a Celery message only notifies the workers.

    ``task`` is the registered Celery task that runs it; ``attempt`` fences off writes of a worker that lost
    its lease. ``lost_attempts`` counts consecutive attempts that ended without an outcome (expired leases,
    killed programs) and made no progress over those before them. ``notified_at`` is when the last message was
    published. The order of jobs follows from ``priority``, ``queued_at`` (waiting since), ``claimed_at``
    (start of the latest attempt) and ``keeps_turn`` (begun, and interrupted by nobody's wish); see
    evalapp/jobs/turns.py. ``paused_by`` asked for the pause. ``left_by`` lists the machines that lack what
    the job needs, by name: when each looked last, and what it lacks.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    task = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    queue = models.CharField(max_length=20, default="default")
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    params = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    queued_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True, blank=True)
    keeps_turn = models.BooleanField(default=False)
    left_by = models.JSONField(default=dict)
    pause_requested_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    attempt = models.PositiveIntegerField(default=0)
    lost_attempts = models.PositiveSmallIntegerField(default=0)
    notified_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=60, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    stage = models.CharField(max_length=120, blank=True)
    progress_done = models.BigIntegerField(default=0)
    progress_total = models.BigIntegerField(null=True, blank=True)
    eta_seconds = models.FloatField(null=True, blank=True)
    error = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    process_id = models.IntegerField(null=True, blank=True)
    process_started = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="job_known_state"),
            models.CheckConstraint(
                condition=models.Q(state__in=ACTIVE_STATES, lease_expires_at__isnull=False)
                | ~models.Q(state__in=ACTIVE_STATES),
                name="job_active_has_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=FINAL_STATES, finished_at__isnull=False)
                | (~models.Q(state__in=FINAL_STATES) & models.Q(finished_at__isnull=True)),
                name="job_final_has_end",
            ),
            models.CheckConstraint(
                condition=models.Q(priority__in=Priority.values), name="job_known_priority"
            ),
            models.CheckConstraint(
                condition=models.Q(pause_requested_at__isnull=False)
                | ~models.Q(state__in=[JobState.PAUSING, JobState.PAUSED]),
                name="job_paused_has_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "id"], name="job_waiting", condition=models.Q(state=JobState.QUEUED)
            ),
            models.Index(
                fields=["lease_expires_at"], name="job_leased", condition=models.Q(state__in=ACTIVE_STATES)
            ),
            models.Index(fields=["project", "-id"], name="job_project_latest"),
            models.Index(fields=["queue", "project", "-claimed_at"], name="job_served"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def saves_work(self) -> bool:
        """Whether a stopped job keeps its progress: runs do, other work starts again."""
        return self.task.startswith("evalapp.runs.")

    @property
    def lacks(self) -> list[str]:
        """For a waiting job: one sentence for each machine that cannot run it, with the reason."""
        if self.state != JobState.QUEUED:
            return []
        return [left["why"] for _, left in sorted(self.left_by.items())]

    @property
    def percent(self) -> int | None:
        """Percent done, a whole number; 100 after success, None while the total is unknown."""
        if self.state == JobState.SUCCEEDED:
            return 100
        if not self.progress_total:
            return None
        return min(100, 100 * self.progress_done // self.progress_total)


class JobEvent(models.Model):
    """A line of a job's log, in the order it happened."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveIntegerField(default=0)
    level = models.CharField(max_length=8, default="info")
    text = models.TextField()
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["job", "id"], name="job_event_order")]

    def __str__(self) -> str:
        return self.text
