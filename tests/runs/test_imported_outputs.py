"""The way round without any model here: answers from a file are scored, reviewed, compared and exported."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.datasets.models import DatasetVersion
from evalapp.exports.models import Export
from evalapp.exports.tasks import write_export
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.services import add_default_rubric
from evalapp.scoring.tasks import score_run
from tests.form_addresses import run_form
from tests.reviews.conftest import claim, submit

# Scoring is ordered when the import is committed.
pytestmark = pytest.mark.django_db(transaction=True)

# Rows 10 and 11 are the feedback split of the version.
NEAR = ("feedback answer 0", "feedback answer 1")
FAR = ("As per our records.", "Kindly refer to the above.")
MENDED = "You are on track. Call us on Monday."


@pytest.fixture(autouse=True)
def _without_model_programs(settings, tmp_path: Path) -> None:
    settings.MODEL_PYTHON = tmp_path / "no-such-python"
    settings.ARTIFACTS_FOLDER = tmp_path / "artifacts"


def bring(client, project: Project, version: DatasetVersion, label: str, texts: tuple[str, ...]) -> None:
    rows = [{"row": row, "text": text} for row, text in enumerate(texts, start=10)]
    file = SimpleUploadedFile("answers.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    form = {"name": label, "dataset_version": version.pk, "candidate": "", "new_label": label, "file": file}
    page = client.post(run_form(project, "import"), form, follow=True)
    assert "Imported 2 answers." in page.text


def open_campaign(client, project: Project, version: DatasetVersion, reviewer: User) -> Campaign:
    rubric = add_default_rubric(project=project, by=None).versions.get()
    design = {
        "name": "Vendors", "rubric_version": rubric.pk, "dataset_version": version.pk, "split": "feedback",
        "candidates": list(ModelVersion.objects.values_list("pk", flat=True)), "reviewers": [reviewer.pk],
        "overlap": 1, "is_blind": "on", "allows_corrections": "on", "lease_minutes": 30,
    }  # fmt: skip
    saved = client.post(reverse("campaign_new", args=[project.slug]), design)
    assert saved.status_code == 302, saved.text
    campaign = Campaign.objects.get()
    client.post(reverse("campaign_open", args=[project.slug, campaign.pk]))
    campaign.refresh_from_db()
    return campaign


def figures(table: str) -> dict[tuple[str, str], float]:
    """Value by candidate and measure."""
    rows = csv.DictReader(io.StringIO(table))
    return {(row["candidate"], row["measure"]): float(row["value"]) for row in rows if row["value"]}


def review_everything(campaign: Campaign, reviewer: User) -> None:
    """The far answers get a poor tone, and the first of them a correction."""
    is_corrected = False
    for _ in range(4):
        upcoming = claim(campaign, reviewer)
        text = ItemOutput.objects.get(pk=upcoming.subject_id).output.text
        tone = 2 if text in FAR else 4
        scores = {
            "accuracy": 4,
            "clarity": 4,
            "tone": tone,
            "personalization": 3,
            "material-factual-error": 0,
        }
        correction = MENDED if text in FAR and not is_corrected else None
        is_corrected = is_corrected or correction is not None
        given = ReviewAnswers(scores, {"tone": ("cold",)} if tone == 2 else {}, "", correction)
        submit(campaign, reviewer, upcoming, answers=given)


def test_answers_from_a_file_are_scored_reviewed_compared_and_exported(
    project: Project, version: DatasetVersion, engineer: User, manager: User, reviewer: User, client_for
) -> None:
    browser, manages = client_for(engineer), client_for(manager)
    runs = browser.get(reverse("run_list", args=[project.slug])).text
    assert "Import outputs" in runs and "?kind=import" in runs
    bring(browser, project, version, "Vendor A", NEAR)
    bring(browser, project, version, "Vendor B", FAR)
    scorings = Job.objects.filter(task="evalapp.scoring.tasks.score_run")
    assert len(scorings) == 2
    for job in scorings:
        score_run(job.pk)

    campaign = open_campaign(manages, project, version, reviewer)
    review_everything(campaign, reviewer)

    numbers = figures(manages.get(reverse("comparison_csv", args=[project.slug, campaign.pk])).text)
    assert [numbers[label, "tone"] for label in ("Vendor A", "Vendor B")] == [4, 2]
    assert [numbers[label, "ROUGE-L"] for label in ("Vendor A", "Vendor B")] == [1, 0]

    browser.post(reverse("export_new", args=[project.slug]), {
        "campaign": campaign.pk, "name": "Fixed", "answer_floor": "4.5", "pair_gap": "1",
    })  # fmt: skip
    export = Export.objects.get()
    browser.post(reverse("export_accept_all", args=[project.slug, export.pk]))
    browser.post(reverse("export_finish", args=[project.slug, export.pk]), {"note": "From vendors"})
    export.refresh_from_db()
    write_export(export.job_id)
    export.refresh_from_db()
    file = browser.get(reverse("export_file", args=[project.slug, export.pk, "answers.jsonl"]))
    (row,) = (json.loads(line) for line in b"".join(file.streaming_content).decode().splitlines())
    assert row["completion"][0]["content"] == MENDED
    assert export.dataset_version is not None
    assert export.dataset_version.counts == {"train": 1, "test": 3}
