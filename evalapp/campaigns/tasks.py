from celery import shared_task

from evalapp.campaigns.allocation import return_lapsed_places


@shared_task(name="evalapp.campaigns.tasks.return_lapsed_places")
def return_lapsed() -> None:
    """Give back the places of reviewers who went away, so that progress shows them as free."""
    return_lapsed_places()
