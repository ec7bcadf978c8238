"""The records of the file that a campaign was imported from."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign


class ImportedRecords(NamedTuple):
    """The number of records in an imported campaign's file, and of refused records that were left out."""

    read: int
    left_out: int

    @property
    def words(self) -> str:
        """A sentence without its full stop; "" if nothing was left out."""
        if not self.left_out:
            return ""
        return f"{self.left_out:,} of {self.read:,} records of the file were left out at import"


def words_of_left_out(campaign: Campaign) -> str:
    """The number of an imported file's records that no result includes, in words; "" if there are none."""
    records = imported_records(campaign)
    return records.words if records else ""


def imported_records(campaign: Campaign) -> ImportedRecords | None:
    """The records of the campaign's imported file; None if it was not imported."""
    if not campaign.is_imported:
        return None
    imported = Campaign.objects.filter(pk=campaign.pk, ratings_import__isnull=False)
    found = imported.values_list("ratings_import__records_read", "ratings_import__records_refused").first()
    return None if found is None else ImportedRecords(*found)
