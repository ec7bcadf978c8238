from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.imports.models import FileImport


class RecordedReviewer(BaseModel):
    """A reviewer named in a file of ratings who is not a member.

    The same name in the project's next file is the same person. The account cannot sign in, its address
    cannot be invited, and it is a member of nothing.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recorded_reviewers")
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="recorded_reviewer")

    def __str__(self) -> str:
        return str(self.user)


class RatingsImport(FileImport):
    """An uploaded file of ratings that is to become a closed campaign.

    ``content_hash``: SHA-256 of the file; one file becomes one campaign of a project. ``options`` is read by
    ``options.RatingsOptions``, ``census`` is the result of ``census.FileCensus``, empty before first reading.
    ``records_read`` = ``records_imported`` + ``records_refused``, once imported. ``problems_found`` counts
    all problems, of which ``problems`` holds the first. ``spans_missing``: marked words not found in their
    output.
    """

    became = "campaign"
    audited_as = "ratings"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="ratings_imports")
    content_hash = models.CharField(max_length=64)
    census = models.JSONField(default=dict)
    campaign = models.OneToOneField(
        Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="ratings_import"
    )
    records_read = models.BigIntegerField(default=0)
    records_imported = models.BigIntegerField(default=0)
    records_refused = models.BigIntegerField(default=0)
    problems_found = models.BigIntegerField(default=0)
    spans_missing = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "content_hash"],
                condition=models.Q(campaign__isnull=False),
                name="ratings_file_imported_once",
            ),
            models.CheckConstraint(
                condition=models.Q(campaign__isnull=True)
                | models.Q(records_read=models.F("records_imported") + models.F("records_refused")),
                name="ratings_records_add_up",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="ratings_import_latest")]

    @property
    def of_project(self) -> Project:
        return self.project

    @property
    def file_format(self) -> str:
        return str(self.options.get("file_format", ""))


class RatingsProblem(models.Model):
    """A problem with a field of a file of ratings. ``is_refusal``: its record was not imported because of it;
    otherwise it was, and this says how it differs from the file.
    """

    id = models.BigAutoField(primary_key=True)
    ratings_import = models.ForeignKey(RatingsImport, on_delete=models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()
    field = models.CharField(max_length=200)
    problem = models.TextField()
    fix = models.TextField(blank=True)
    is_refusal = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["ratings_import", "id"], name="ratings_problem_order")]

    def __str__(self) -> str:
        return f"row {self.row}, {self.field}: {self.problem}"
