"""`manage.py replay FILE`: shows which alerts monitoring would have raised in past weeks."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.accounts.models import Role, User
from evalapp.core.errors import ProblemError
from evalapp.core.number_format import as_percent, as_text
from evalapp.demo.replay import MOST_WEEKS, open_replay, play_weeks, read_events
from evalapp.monitoring.models import Cause, WeeklyMetric, WeeklySample


class Command(BaseCommand):
    help = (
        "Play past weeks of events through monitoring: sampling, reviews, evaluation and alerts. "
        f"FILE is JSON Lines with at most {MOST_WEEKS} weeks of events as the API takes them, each "
        "with an id, a time and “scores”, the scores that reviewers would give (criterion: whole "
        "number, or true for an error). The replay runs in a demonstration project of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--speed", type=float, default=0, help="Weeks per minute; default: as fast as possible."
        )
        parser.add_argument("--reviewed-a-week", type=int, default=40, help="Outputs; 40.")
        parser.add_argument(
            "--owner", default="", help="Email of the project's owner; default: the first owner."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        owners = User.objects.filter(is_active=True, memberships__role=Role.OWNER)
        owner = (
            User.objects.filter(email=options["owner"]).first()
            if options["owner"]
            else owners.order_by("pk").first()
        )
        if owner is None:
            raise CommandError("There is no account with this email. Name another with --owner EMAIL.")
        try:
            events = read_events(options["file"])
            stream = open_replay(
                f"Replay: {options['file'].stem}",
                events,
                reviewed_a_week=options["reviewed_a_week"],
                by=owner,
            )
            for week in play_weeks(stream, events):
                self.stdout.write(_told(week))
                if options["speed"] > 0 and week.number < events.weeks:
                    time.sleep(60 / options["speed"])
        except ProblemError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        self.stdout.write(f"See /projects/{stream.project.slug}/monitor/{stream.pk}/")


def _told(week: WeeklySample) -> str:
    metrics = [_metric(each) for each in week.metrics.order_by("pk")]
    alerts = [f"\n    ALERT {each.message}" for each in week.alerts.order_by("pk")]
    return f"Week {week.number}: {', '.join(metrics) or week.note}{''.join(alerts)}{''.join(_causes(week))}"


def _causes(week: WeeklySample) -> Iterator[str]:
    """Causes of the week's alerts, and of earlier alerts whose cause was not known until now."""
    for alert in (
        week.stream.alerts.filter(told_week=week.number).select_related("weekly_sample").order_by("pk")
    ):
        if alert.weekly_sample_id == week.pk or alert.cause != Cause.CANNOT_TELL:
            since = f"{alert.criterion_name} since {alert.weekly_sample}"
            yield f"\n    CAUSE of {since}: {alert.get_cause_display()}. {alert.cause_reason}"


def _metric(metric: WeeklyMetric) -> str:
    if metric.value is None:
        return f"{metric.criterion_name} –"
    value = as_percent(metric.value) if metric.is_rate else as_text(metric.value, digits=2)
    return f"{metric.criterion_name} {value}"
