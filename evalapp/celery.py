"""The Celery application. Sub-packages are not Django apps, so those with tasks are listed here."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")

PACKAGES_WITH_TASKS = [
    "evalapp.jobs",
    "evalapp.datasets",
    "evalapp.curation",
    "evalapp.data_protection",
    "evalapp.runs",
    "evalapp.scoring",
    "evalapp.campaigns",
    "evalapp.reviews",
    "evalapp.analysis",
    "evalapp.exports",
    "evalapp.webhooks",
    "evalapp.ratings",
    "evalapp.decisions",
    "evalapp.artifacts",
    "evalapp.llm_judges",
    "evalapp.reports",
    "evalapp.monitoring",
    "evalapp.demo",
]

app = Celery("evalapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(PACKAGES_WITH_TASKS)
app.conf.beat_scheduler = "evalapp.jobs.scheduler:JobScheduler"
# Short, and needed most when the workers are stuck: the scheduler carries them out itself.
DUTIES = frozenset({"reap-lost-jobs", "return-lapsed-assignments", "notify-webhooks", "open-due-weeks"})
app.conf.beat_schedule = {
    # Expires, so that notifies do not pile up while nobody hears them.
    "advance-demonstration": {
        "task": "evalapp.demo.tasks.advance",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "finish-removals": {"task": "evalapp.artifacts.tasks.finish_removals", "schedule": 3600.0},
    "evaluate-due-weeks": {
        "task": "evalapp.monitoring.tasks.evaluate_due_weeks",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "count-events": {
        "task": "evalapp.monitoring.tasks.count_events",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "open-due-weeks": {"task": "evalapp.monitoring.tasks.open_due_weeks", "schedule": 60.0},
    # At night in most of Europe and America; a scheduler that was stopped then does it when it starts.
    "check-counts": {"task": "evalapp.reviews.tasks.check_counts", "schedule": crontab(hour=3, minute=20)},
    "apply-retention": {
        "task": "evalapp.data_protection.tasks.apply_retention",
        "schedule": crontab(hour=3, minute=50),
    },
    "reap-lost-jobs": {"task": "evalapp.jobs.tasks.reap_lost_jobs", "schedule": 5.0},
    "remove-old-deliveries": {"task": "evalapp.webhooks.tasks.remove_old_deliveries", "schedule": 3600.0},
    "notify-webhooks": {"task": "evalapp.webhooks.tasks.notify_if_due", "schedule": 2.0},
    "refresh-analyses": {
        "task": "evalapp.analysis.tasks.refresh_analyses",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "remove-left-files": {"task": "evalapp.decisions.tasks.remove_left_files", "schedule": 3600.0},
    "return-lapsed-assignments": {
        "task": "evalapp.campaigns.tasks.return_lapsed_assignments",
        "schedule": 60.0,
    },
}
