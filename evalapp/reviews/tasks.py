from celery import shared_task

from evalapp.reviews import counts


@shared_task(name="evalapp.reviews.tasks.check_counts")
def check_counts() -> None:
    """The nightly recount; differences are logged, audited, and shown under “To do”."""
    for _ in counts.check_all_counts():
        pass
