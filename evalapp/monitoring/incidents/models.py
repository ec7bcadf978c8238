from django.db import models

from evalapp.accounts.models import User
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion
from evalapp.monitoring.models import Alert, Stream, WeeklySample

LONGEST_REASON = 500


class IncidentState(models.TextChoices):
    OPEN = "open", "Open"
    RECOVERED = "recovered", "Recovered"
    CLOSED = "closed", "Closed"


class Incident(BaseModel):
    """What is wrong in a stream, from the first alert to recovery. A stream has at most one open incident;
    later alerts join it.

    ``opened_in``: the week that alerted first. ``training_data``: the version accepted for retraining, and
    ``weeks``: [{"week": number, "rows": int}], the weeks in which its rows were reviewed. ``second_review``:
    the rows that candidates answer once more. An incident is *recovered* by itself, or *closed* by a person
    for a ``reason``.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="incidents")
    opened_in = models.ForeignKey(WeeklySample, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=9, choices=IncidentState.choices, default=IncidentState.OPEN)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    training_data = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    weeks = models.JSONField(default=list, blank=True)
    second_review = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream"],
                condition=models.Q(state=IncidentState.OPEN),
                name="incident_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(state=IncidentState.OPEN, closed_at__isnull=True)
                | (~models.Q(state=IncidentState.OPEN) & models.Q(closed_at__isnull=False)),
                name="incident_closed_has_date",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=IncidentState.CLOSED) | ~models.Q(reason=""),
                name="incident_closed_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"incident since {self.opened_in}"

    @property
    def alerted(self) -> list[Alert]:
        """The first alert of each criterion. Prefetch ``alerts`` when showing many incidents."""
        first: dict[str, Alert] = {}
        for alert in sorted(self.alerts.all(), key=lambda each: each.pk):
            first.setdefault(alert.criterion_key, alert)
        return list(first.values())

    @property
    def is_open(self) -> bool:
        return self.state == IncidentState.OPEN


class MailState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not sent"
    OFF = "off", "Not set up"


class NoticeKind(models.TextChoices):
    OPENED = "opened", "Incident opened"
    WORSE = "worse", "More alerts"
    REMINDER = "reminder", "Nobody has acknowledged it"
    ENDED = "ended", "Incident ended"
    DAILY = "daily", "Daily metrics past their thresholds"


class Notice(BaseModel):
    """An e-mail of a stream to the people who decide in the project, about an incident or daily alerts.

    ``week``: the week whose alerts it reports. ``mail_state``: its delivery state; ``mail_note``: the number
    of recipients, or why it was not sent.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="notices")
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="notices"
    )
    kind = models.CharField(max_length=8, choices=NoticeKind.choices)
    week = models.ForeignKey(WeeklySample, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    mail_state = models.CharField(max_length=7, choices=MailState.choices, default=MailState.WAITING)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_note = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["mail_state"],
                name="notice_mail_due",
                condition=models.Q(mail_state__in=[MailState.WAITING, MailState.SENDING]),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind=NoticeKind.DAILY, incident__isnull=True)
                | (~models.Q(kind=NoticeKind.DAILY) & models.Q(incident__isnull=False)),
                name="notice_of_incident_or_daily",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.stream_id}"
