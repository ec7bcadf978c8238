from celery import shared_task

from evalapp.campaigns.leases import return_lapsed_assignments


@shared_task(name="evalapp.campaigns.tasks.return_lapsed_assignments")
def return_lapsed() -> None:
    """Return assignments with expired leases, so that progress shows them as available."""
    return_lapsed_assignments()
