"""Read queries on imports of ratings."""

from django.db.models import QuerySet

from evalapp.accounts.models import Project, User
from evalapp.ratings.models import RatingsImport, RatingsProblem


def ratings_imports_of(project: Project) -> QuerySet[RatingsImport]:
    """The project's uploads of ratings, imported or not; page them by ``-id``."""
    return project.ratings_imports.select_related("job__created_by", "campaign", "created_by")


def problems_of(ratings_import: RatingsImport) -> QuerySet[RatingsProblem]:
    """The problems of the file, in file order."""
    return ratings_import.problems.order_by("id")


def recorded_reviewers_of(project: Project) -> QuerySet[User]:
    """Reviewers whom files name and who are not members."""
    return User.objects.filter(recorded_reviewer__project=project)
