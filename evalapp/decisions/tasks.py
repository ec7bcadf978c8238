from celery import shared_task

from evalapp.decisions import left_files


@shared_task(name="evalapp.decisions.tasks.remove_left_files", ignore_result=True)
def remove_left_files() -> None:
    """Remove files of deleted projects that a crash has left."""
    left_files.remove_left_files()
