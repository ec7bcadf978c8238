"""What the report job does: the document on the reviews of this moment, then its files, then the row."""

import hashlib
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evalapp.audit.services import record
from evalapp.core.errors import MissingError
from evalapp.core.storage import write_whole
from evalapp.jobs.work import Work
from evalapp.reports.content import STEPS, content_of
from evalapp.reports.html_report import as_html
from evalapp.reports.models import Report, ReportState
from evalapp.reports.pdf_report import as_pdf

PAGE, PAPER = "report.html", "report.pdf"
CONTENT_TYPES = {PAGE: "text/html; charset=utf-8", PAPER: "application/pdf"}


def report_folder(report: Report) -> Path:
    return Path(settings.ARTIFACTS_FOLDER) / "reports" / str(report.pk)


def open_file(report: Report, name: str) -> IO[bytes]:
    """One of the files of a finished report. Raises MissingError where there is none to read."""
    if report.state != ReportState.DONE or name not in {entry["name"] for entry in report.files}:
        raise MissingError("This report has no such file.")
    try:
        return (report_folder(report) / name).open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingError(
            "The file is not on this server's disk any more. Restore it from a backup, or create another"
            " report."
        ) from error


def write_report(work: Work) -> dict[str, Any]:
    """Carry out a report job. Repeating it after a lost worker writes the files anew."""
    report = Report.objects.select_related(
        "campaign__project",
        "campaign__rubric_version__rubric",
        "campaign__dataset_version__dataset",
        "created_by",
    ).get(pk=work.job.params["report"])
    if report.state == ReportState.DONE:
        return {"report": report.pk}
    content = content_of(report, progress=lambda done, stage: work.progress(done, STEPS, stage))
    work.progress(4, STEPS, "Writing the files")
    made = {
        PAGE: as_html(content.document).encode(),
        PAPER: as_pdf(content.document, made_at=int(report.created_at.timestamp())),
    }
    files = []
    for name, body in made.items():
        write_whole(report_folder(report) / name, body)
        files.append({"name": name, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)})
    work.raise_if_cancelled()
    with transaction.atomic():
        done = Report.objects.filter(pk=report.pk, state=ReportState.WRITING).update(
            state=ReportState.DONE,
            files=files,
            data_digest=content.data_digest,
            is_simulated=content.is_simulated,
            finished_at=timezone.now(),
        )
        if done:
            data = {"data_digest": content.data_digest, "campaign": report.campaign_id}
            record("report.done", by=work.job.created_by, obj=report, project=report.project, data=data)
        work.fence()
    work.report(STEPS, STEPS, "Done")
    return {"report": report.pk, "files": [entry["name"] for entry in files]}
