"""Watch a stream in an installation for a fault test: make one, or let its first week end now.

    python -m tests.faults.watching PROJECT make
    python -m tests.faults.watching PROJECT end-week

Prints the stream's id. Runs in the environment of that installation.
"""

import os
import sys

OUTPUTS_PER_WEEK = 1_000


def main() -> None:
    slug, verb = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    import django

    django.setup()
    print(make(slug) if verb == "make" else end_week(slug))


def make(slug: str) -> int:
    from django.utils import timezone

    from evalapp.accounts.models import Project, Role, User
    from tests.monitoring.making import HOUR, make_stream

    project = Project.objects.get(slug=slug)
    people = User.objects.filter(memberships__project=project, memberships__role=Role.REVIEWER)
    stream = make_stream(
        project,
        list(people[:2]),
        outputs_per_week=OUTPUTS_PER_WEEK,
        overlap=2,
        daily_thresholds={"words": {"least": 20}},
        next_sample_at=timezone.now() + HOUR,
    )
    return stream.pk


def end_week(slug: str) -> int:
    from django.utils import timezone

    from evalapp.monitoring.models import Stream

    stream = Stream.objects.get(project__slug=slug)
    stream.next_sample_at = timezone.now()
    stream.save(update_fields=["next_sample_at"])
    return stream.pk


if __name__ == "__main__":
    main()
