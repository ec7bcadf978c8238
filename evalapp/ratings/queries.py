"""Reads of imports of ratings."""

from typing import NamedTuple

from django.db.models import QuerySet

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.ratings.models import RatingsImport, RatingsProblem


def ratings_imports_of(project: Project) -> QuerySet[RatingsImport]:
    """The project's uploads of ratings, imported or not; page them by ``-id``."""
    return project.ratings_imports.select_related("job__created_by", "campaign", "created_by")


def problems_of(ratings_import: RatingsImport) -> QuerySet[RatingsProblem]:
    """What is wrong with the file, in its order."""
    return ratings_import.problems.order_by("id")


class ImportedRecords(NamedTuple):
    """How many records the file of an imported campaign had, and how many of them were left out as refused."""

    read: int
    left_out: int

    @property
    def words(self) -> str:
        """A sentence without its full stop; empty where nothing was left out."""
        if not self.left_out:
            return ""
        return f"{self.left_out:,} of {self.read:,} records of the file were left out at import"


def imported_records(campaign: Campaign) -> ImportedRecords | None:
    """Of the file that the campaign's reviews came in; None where they were given here."""
    if not campaign.is_imported:
        return None
    counts = RatingsImport.objects.filter(campaign=campaign).values_list("records_read", "records_refused")
    found = counts.first()
    return None if found is None else ImportedRecords(*found)


def recorded_reviewers_of(project: Project) -> QuerySet[User]:
    """Those whom files name and who are no members."""
    return User.objects.filter(recorded_reviewer__project=project)
