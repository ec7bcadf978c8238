import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.core.outgoing import origin_of


class WebhookEvent(models.TextChoices):
    REVIEW_SUBMITTED = "review.submitted", "A review is submitted"
    ITEM_COMPLETED = "item.completed", "An item has all its reviews"
    CAMPAIGN_OPENED = "campaign.opened", "A campaign is launched"
    CAMPAIGN_COMPLETED = "campaign.completed", "A campaign has all its reviews"
    CAMPAIGN_CLOSED = "campaign.closed", "A campaign is closed"
    ALERT_RAISED = "alert.raised", "An alert is raised"
    INCIDENT_OPENED = "incident.opened", "An incident is opened"
    INCIDENT_CLOSED = "incident.closed", "An incident has recovered or is closed"
    DAILY_ALERT_RAISED = "daily_alert.raised", "A daily metric is past its threshold"
    DAILY_ALERT_ENDED = "daily_alert.ended", "A daily metric is back within its threshold"
    CHAMPION_CHANGED = "champion.changed", "Another model version is the champion"


TEST_EVENT = "test"
"""What the button "Send a test" sends; an endpoint need not ask for it."""


class WebhookEndpoint(BaseModel):
    """A URL that receives a project's events.

    The signing secret is not stored: it is derived from ``key``, ``secret_salt`` and the installation's
    secret key (`evalapp.webhooks.signing`). ``site``: scheme and host of this installation as the manager
    sees them, for links. ``failing_since`` and ``failures_in_row``: attempts of any delivery since the last
    one that succeeded.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhook_endpoints")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.TextField()
    site = models.CharField(max_length=300)
    events = ArrayField(models.CharField(max_length=40))
    includes_text = models.BooleanField(default=False)
    secret_salt = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    failures_in_row = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "url"], name="webhook_url_in_project"),
            models.CheckConstraint(
                condition=models.Q(events__contained_by=WebhookEvent.values) & models.Q(events__len__gte=1),
                name="webhook_known_events",
            ),
            models.CheckConstraint(
                condition=models.Q(failures_in_row=0, failing_since__isnull=True)
                | models.Q(failures_in_row__gt=0, failing_since__isnull=False),
                name="webhook_failing_has_date",
            ),
        ]
        indexes = [
            # Queried by the database's triggers at each event.
            models.Index(
                fields=["project"], name="webhook_enabled", condition=models.Q(disabled_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return origin_of(self.url)


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


GOING = [DeliveryState.WAITING, DeliveryState.SENDING]


class WebhookDelivery(BaseModel):
    """One event for one endpoint: written in the event's own transaction, sent until it arrives.

    ``facts``: the ids that the event is about; ``body``: the content, built at the first attempt and the same
    at every other. ``next_attempt_at``: when it is due or, while it is being sent, when the attempt counts as
    lost. ``attempts`` keeps an attempt that counts as lost from overwriting a later one.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event = models.CharField(max_length=40)
    facts = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=GOING, next_attempt_at__isnull=False)
                | (~models.Q(state__in=GOING) & models.Q(next_attempt_at__isnull=True)),
                name="delivery_going_is_due",
            ),
            models.CheckConstraint(
                condition=models.Q(state=DeliveryState.DELIVERED, delivered_at__isnull=False)
                | (~models.Q(state=DeliveryState.DELIVERED) & models.Q(delivered_at__isnull=True)),
                name="delivery_delivered_has_date",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="delivery_due", condition=models.Q(state__in=GOING)
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.key}"

    @property
    def last_attempt(self) -> "WebhookAttempt | None":
        """Prefetch ``log`` in its order when showing many deliveries."""
        attempts = list(self.log.all())
        return attempts[-1] if attempts else None


class WebhookAttempt(BaseModel):
    """One attempt of a delivery: the response, or why there was none."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)
    problem = models.CharField(max_length=400, blank=True)
    seconds = models.FloatField(default=0)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="attempt_order")]

    def __str__(self) -> str:
        return f"{self.status or self.problem}"
