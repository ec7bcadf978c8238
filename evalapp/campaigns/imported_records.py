"""The records of the file that a campaign was imported from."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign


class ImportedRecords(NamedTuple):
    """How many records the file of an imported campaign had, and how many of them were left
    out as refused.
    """

    read: int
    left_out: int

    @property
    def words(self) -> str:
        """A sentence without its full stop; empty where nothing was left out."""
        if not self.left_out:
            return ""
        return f"{self.left_out:,} of {self.read:,} records of the file were left out at import"


def words_of_left_out(campaign: Campaign) -> str:
    """How many records of an imported campaign's file are in no number; empty where all are in."""
    records = imported_records(campaign)
    return records.words if records else ""


def imported_records(campaign: Campaign) -> ImportedRecords | None:
    """Of the file that the campaign's reviews came in; None where they were given here."""
    if not campaign.is_imported:
        return None
    imported = Campaign.objects.filter(pk=campaign.pk, ratings_import__isnull=False)
    found = imported.values_list("ratings_import__records_read", "ratings_import__records_refused").first()
    return None if found is None else ImportedRecords(*found)
