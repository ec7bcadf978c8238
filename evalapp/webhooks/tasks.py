from celery import shared_task

from evalapp.webhooks import deliveries


@shared_task(name="evalapp.webhooks.tasks.notify_if_due")
def notify_if_due() -> None:
    """Carried out by the scheduler itself."""
    deliveries.notify_if_due()


@shared_task(name=deliveries.DELIVER_TASK)
def deliver_due() -> None:
    deliveries.deliver_due()


@shared_task(name="evalapp.webhooks.tasks.remove_old_deliveries")
def remove_old_deliveries() -> None:
    deliveries.remove_old_deliveries()
