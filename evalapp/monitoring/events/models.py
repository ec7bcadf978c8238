"""What a stream is sent: production events, by month of receipt, and what is learned of them later."""

from django.db import models
from django.db.models.functions import Now

from evalapp.monitoring.models import Stream

LONGEST_ID = 200
LONGEST_ASSESSMENT_NAME = 60


class EventKey(models.Model):
    """What a stream's own system calls an event: sent twice, the event is there once. Samples and assessments
    name an event by its key, which stays when the event itself is no longer kept.

    ``content_hash`` (hexadecimal SHA-256) tells a repetition from another event under the same id.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="event_keys")
    external_id = models.CharField(max_length=LONGEST_ID)
    content_hash = models.CharField(max_length=64)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "external_id"], name="event_key_once")]
        indexes = [
            models.Index(fields=["stream", "happened_at"], name="event_key_week"),
            models.Index(fields=["stream", "id"], name="event_key_following"),
        ]

    def __str__(self) -> str:
        return self.external_id


class ProductionEvent(models.Model):
    """An output that users got. Never changed.

    ``messages`` and ``conversation`` as in Example. ``text``: the output. ``model_version`` is what
    production calls the model. ``fields``: what a sample can be stratified by. The database keeps events by
    the month they were received in (see `evalapp.monitoring.events.months`); nothing refers to a row of them.
    """

    key = models.OneToOneField(
        EventKey, primary_key=True, on_delete=models.CASCADE, db_constraint=False, related_name="event"
    )
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, db_constraint=False, related_name="events")
    received_at = models.DateTimeField(db_default=Now())
    happened_at = models.DateTimeField()
    messages = models.JSONField()
    conversation = models.JSONField(null=True)
    context = models.TextField(blank=True)
    text = models.TextField()
    model_version = models.CharField(max_length=120, blank=True)
    fields = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [models.Index(fields=["stream", "happened_at"], name="production_event_week")]

    def __str__(self) -> str:
        return str(self.key)

    @property
    def prompt_text(self) -> str:
        """What the user said last."""
        return str(self.messages[-1]["content"]) if self.messages else ""


class AssessmentFacts(models.Model):
    """Something learned of an event: ``value`` (a number; yes is 1, no is 0) or else ``text``, at
    ``happened_at``, from ``source``, which may be empty. ``digest`` (hexadecimal SHA-256) of all of it tells
    a repetition.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=LONGEST_ASSESSMENT_NAME)
    value = models.FloatField(null=True)
    text = models.TextField(blank=True)
    source = models.CharField(max_length=LONGEST_ASSESSMENT_NAME, blank=True)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    digest = models.CharField(max_length=64)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.name}: {self.text if self.value is None else self.value}"


class Assessment(AssessmentFacts):
    """A thumb, an edit, a latency, a cost, a label, of an event; never changed, only added to."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="assessments")
    key = models.ForeignKey(EventKey, on_delete=models.CASCADE, related_name="assessments")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "digest"], name="assessment_once")]
        indexes = [models.Index(fields=["stream", "id"], name="assessment_following")]


class WaitingAssessment(AssessmentFacts):
    """One of an event that has not come yet; it waits for it for a day."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="waiting_assessments")
    external_id = models.CharField(max_length=LONGEST_ID)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "digest"], name="waiting_assessment_once")]
        indexes = [models.Index(fields=["received_at"], name="waiting_assessment_age")]
