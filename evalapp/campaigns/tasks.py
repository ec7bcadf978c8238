from celery import shared_task

from evalapp.campaigns.leases import return_lapsed_assignments


@shared_task(name="evalapp.campaigns.tasks.return_lapsed_assignments")
def return_lapsed() -> None:
    """Give back the assignments of reviewers who went away, so that progress shows them as free."""
    return_lapsed_assignments()
