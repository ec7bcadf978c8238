"""Accounts that stand for those whom files of ratings name."""

from django.utils.crypto import get_random_string

from evalapp.accounts.emails import FORMER_DOMAIN
from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.names import checked_name
from evalapp.ratings.models import RecordedReviewer


def record_reviewer(*, project: Project, name: str, by: User | None) -> User:
    """The account that stands for somebody whom a file names: nobody can sign in to it or be
    invited to it.
    """
    user = User(
        email=f"recorded-{get_random_string(16).lower()}@{FORMER_DOMAIN}",
        name=checked_name(name, of="the reviewer"),
        is_active=False,
    )
    user.set_unusable_password()
    user.save()
    RecordedReviewer.objects.create(project=project, user=user)
    record("person.recorded", by=by, obj=user, project=project)
    return user
