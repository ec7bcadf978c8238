"""Production events, by month of receipt, and the assessments of them."""

from django.db import models
from django.db.models.functions import Now

from evalapp.monitoring.models import Stream

LONGEST_ID = 200
LONGEST_ASSESSMENT_NAME = 60


class EventKey(models.Model):
    """The id that a stream's own system gives an event: an event sent twice is stored once. Samples and
    assessments refer to an event by its key, which stays when the event itself has been removed.

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

    ``messages`` and ``conversation`` as in Example. ``text``: the output. ``model_version``: the model's name
    in production. ``fields``: values that a sample can be stratified by. The database partitions events by
    month of receipt (see `evalapp.monitoring.events.months`); no foreign key refers to them.
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
        """The last user message."""
        return str(self.messages[-1]["content"]) if self.messages else ""


class AssessmentFacts(models.Model):
    """An assessment of an event: ``value`` (a number; yes is 1, no is 0) or else ``text``, given at
    ``happened_at`` by ``source``, which may be empty. ``digest`` (hexadecimal SHA-256) of all fields
    identifies a repetition.
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
    """A thumb, an edit, a latency, a cost or a label of an event. Never changed, only added."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="assessments")
    key = models.ForeignKey(EventKey, on_delete=models.CASCADE, related_name="assessments")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "digest"], name="assessment_once")]
        indexes = [models.Index(fields=["stream", "id"], name="assessment_following")]


class WaitingAssessment(AssessmentFacts):
    """An assessment whose event has not arrived yet; kept for a day."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="waiting_assessments")
    external_id = models.CharField(max_length=LONGEST_ID)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "digest"], name="waiting_assessment_once")]
        indexes = [models.Index(fields=["received_at"], name="waiting_assessment_age")]
