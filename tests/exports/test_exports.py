"""From reviews over proposed rows to files, a dataset version and back along the lineage."""

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.datasets.models import Split
from evalapp.exports.lineage import model_lineage, review_lineage
from evalapp.exports.models import Export, ExportRow, ExportState, RowDecision, RowKind
from evalapp.exports.queries import row_counts
from evalapp.exports.services import decide_all, decide_row, propose_rows, start_export
from evalapp.exports.tasks import write_export
from evalapp.exports.writing import export_folder
from evalapp.jobs.models import Job, JobState
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Review
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.services import create_rubric, save_version
from tests.cast import client_of
from tests.factories import answers, corrected, make_adapter, make_campaign, make_proposed_rows, review_all
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
BETTER = "You own portfolio {n}, 60% shares. Next step: call us on Monday."


@pytest.fixture(scope="module")
def reviewed(cast: Cast) -> Campaign:
    """Rows 1 and 2 of "formal" corrected by the reviewer, row 3 by the engineer; row 4 well rated."""
    campaign = make_campaign(cast.project, [cast.reviewer, cast.engineer], rows=4)
    good = answers(accuracy=5, clarity=5, tone=5, personalization=5)
    fair = answers(accuracy=3, clarity=3, tone=3, personalization=3)
    poor = answers(accuracy=2, clarity=2, tone=1, personalization=1)
    review_all(
        campaign,
        cast.reviewer,
        {
            ("formal", 1): corrected(poor, BETTER.format(n=1)),
            ("formal", 2): corrected(poor, "=HYPERLINK(1)"),
            ("plain", 4): good,
            ("formal", 4): poor,
            "plain": fair,
        },
    )
    review_all(
        campaign,
        cast.engineer,
        {
            ("formal", 3): corrected(poor, BETTER.format(n=3)),
            ("plain", 4): good,
            ("formal", 4): poor,
            "plain": fair,
        },
    )
    return campaign


@pytest.fixture
def campaign(reviewed: Campaign) -> Campaign:
    return again(reviewed)


@pytest.fixture(autouse=True)
def artifacts(settings: object, tmp_path: Path) -> Path:
    settings.ARTIFACTS_FOLDER = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def _write(export: Export, by: User, **options: bool) -> Job:
    job = start_export(export=export, by=by, **options)
    write_export(job.pk)
    job.refresh_from_db()
    export.refresh_from_db()
    return job


def _exported(campaign: Campaign, by: User, **options: bool) -> Export:
    export = make_proposed_rows(campaign, by)
    decide_all(export=export, decision="accepted", by=by)
    job = _write(export, by, **options)
    assert job.state == JobState.SUCCEEDED, job.error
    return export


def test_the_tray_holds_every_row_with_its_reason(campaign: Campaign, manager: User) -> None:
    export = make_proposed_rows(campaign, manager)

    included = export.rows.filter(is_included=True).values_list("kind", "reason")
    assert sorted(included) == [
        ("answer", "Correction by a reviewer"),
        ("answer", "Correction by a reviewer"),
        ("answer", "Correction by a reviewer"),
        ("answer", "Mean 5.0 of 2 reviews"),
        ("preference", "Correction preferred to its output"),
        ("preference", "Correction preferred to its output"),
        ("preference", "Correction preferred to its output"),
        ("preference", "Means 5.0 and 1.5"),
        ("rated", "Bad: mean 1.5 of 2 reviews"),
        ("rated", "Good: mean 5.0 of 2 reviews"),
    ]
    assert not export.rows.filter(reason="").exists()
    assert row_counts(export)._asdict() == {
        "included": 10, "left_out": export.rows.count() - 10, "pending": 10, "accepted": 0, "rejected": 0,
    }  # fmt: skip
    assert not export.is_simulated


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_held_out_split_is_refused(
    empty_project: Project, manager: User, reviewer: User, split: str
) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=1, split=split)
    review_all(campaign, reviewer, {})

    with pytest.raises(InvalidError, match="held out"):
        propose_rows(campaign=campaign, by=manager, name="")
    assert not Export.objects.exists()


def test_nothing_reviewed_is_refused_and_so_is_an_endless_name(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=1)
    with pytest.raises(InvalidError, match="no submitted review"):
        propose_rows(campaign=campaign, by=manager, name="")
    review_all(campaign, reviewer, {})
    for name in ("x" * 121, "a\x00b"):
        with pytest.raises(InvalidError, match=r"120 characters|is invisible"):
            propose_rows(campaign=campaign, by=manager, name=name)
    assert propose_rows(campaign=campaign, by=manager, name="").name == "Feedback of Spring round"


def test_simulated_feedback_leaves_a_demonstration_only(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    Project.objects.filter(pk=empty_project.pk).update(is_demonstration=True)
    empty_project.refresh_from_db()
    campaign = make_campaign(empty_project, [reviewer], rows=1)
    review_all(campaign, reviewer, {"formal": corrected(answers(tone=1), "Better.")}, is_simulated=True)
    inside = _exported(campaign, manager)
    assert inside.is_simulated
    assert inside.dataset_version is not None and inside.dataset_version.is_simulated
    assert "Reviewer 1,1," in (export_folder(inside) / "ratings.csv").read_text()

    Project.objects.filter(pk=empty_project.pk).update(is_demonstration=False)
    outside = make_proposed_rows(Campaign.objects.get(pk=campaign.pk), manager)
    assert not outside.rows.filter(is_included=True).exists()
    assert not outside.is_simulated


def test_a_critical_criterion_keeps_out_what_it_was_failed_on_whichever_answer_fails_it(
    empty_project: Project, reviewer: User, manager: User
) -> None:
    rubric = create_rubric(project=empty_project, name="Own rubric", by=manager)
    version = save_version(
        rubric=rubric,
        criteria=[
            CriterionDraft(name="Tone"),
            CriterionDraft(name="Safe", is_critical=True, low_threshold=3),
            CriterionDraft(
                name="Facts right",
                kind="yes_no",
                minimum=0,
                maximum=1,
                low_threshold=None,
                undesired=0,
                is_critical=True,
            ),
        ],
        by=manager,
    )
    campaign = make_campaign(
        empty_project, [reviewer], rows=4, rubric_version=version, texts={"formal": "Fine."}
    )

    def said(safe: int, facts_right: int) -> ReviewAnswers:
        return ReviewAnswers(scores={"tone": 5, "safe": safe, "facts-right": facts_right})

    review_all(
        campaign,
        reviewer,
        {
            ("formal", 1): said(5, 1),
            ("formal", 2): said(5, 0),
            ("formal", 3): said(4, 1),
            ("formal", 4): said(3, 1),
        },
    )
    rows = (
        make_proposed_rows(campaign, manager).rows.exclude(kind=RowKind.RATED).order_by("example__row_number")
    )

    assert [(row.is_included, row.reason) for row in rows] == [
        (True, "Mean 5.0 of 1 review"),
        (False, "A reviewer failed it on “Facts right”, which is critical"),
        (True, "Mean 4.5 of 1 review"),
        (False, "A reviewer failed it on “Safe”, which is critical"),
    ]


def test_the_author_of_a_correction_does_not_decide_on_it(campaign: Campaign, engineer: User) -> None:
    export = make_proposed_rows(campaign, engineer)
    own = export.rows.filter(review__reviewer=engineer)

    with pytest.raises(NotAllowedError, match="You wrote this correction"):
        decide_row(row=own[0], decision="accepted", by=engineer)
    assert decide_all(export=export, decision="accepted", by=engineer) == 8
    assert set(own.values_list("decision", flat=True)) == {RowDecision.PENDING}
    assert decide_all(export=export, decision="accepted", by=engineer, row_ids=[row.pk for row in own]) == 0


def test_decisions_keep_both_texts_and_are_audited(campaign: Campaign, manager: User) -> None:
    row = make_proposed_rows(campaign, manager).rows.filter(review__isnull=False, kind=RowKind.ANSWER)[0]
    before = row.chosen_text

    decide_row(row=row, decision="edited", by=manager, text=" Edited. ")
    assert (row.decision, row.edited_text, row.chosen_text, row.decided_by) == (
        "edited",
        "Edited.",
        before,
        manager,
    )
    decide_row(row=row, decision="edited", by=manager, text=before)
    assert (row.decision, row.edited_text) == ("accepted", "")
    decide_row(row=row, decision="pending", by=manager)
    assert (row.decision, row.decided_at, row.decided_by) == ("pending", None, None)
    actions = AuditEvent.objects.filter(action__startswith="export_row.").order_by("id")
    assert [event.action for event in actions] == [
        "export_row.edited",
        "export_row.accepted",
        "export_row.pending",
    ]

    for text in ("  ", "a\x00b", "x" * 100_001):
        with pytest.raises(InvalidError):
            decide_row(row=row, decision="edited", by=manager, text=text)
    with pytest.raises(InvalidError, match="not a decision"):
        decide_row(row=row, decision="perhaps", by=manager)
    left_out = row.export.rows.filter(is_included=False)[0]
    with pytest.raises(ConflictError, match="left out"):
        decide_row(row=left_out, decision="accepted", by=manager)


def test_the_row_says_that_an_answer_is_needed_and_that_its_pair_goes_with_it(
    campaign: Campaign, manager: User
) -> None:
    export = make_proposed_rows(campaign, manager)
    row = export.rows.filter(review__isnull=False, kind=RowKind.ANSWER)[0]
    pair = export.rows.get(review=row.review_id, kind=RowKind.PREFERENCE)
    browser = client_of(manager)
    address = f"/projects/{campaign.project.slug}/data/proposed-rows/{export.pk}/rows/{row.pk}/"

    page = browser.get(address).text
    assert "Answer</label>" in page and "(optional)" not in page
    assert "1 preference pair of this proposal uses this as the better answer" in page
    assert "of this proposal use" not in browser.get(address.replace(f"/{row.pk}/", f"/{pair.pk}/")).text
    for text in ("", "  "):
        refused = browser.post(address, {"decision": "edited", "text": text})
        assert refused.status_code == 400 and "Write the answer, or reject the row." in refused.text

    assert browser.post(address, {"decision": "rejected", "text": ""}).status_code == 302
    pair.refresh_from_db()
    assert pair.decision == RowDecision.REJECTED


def test_files_are_whole_counted_and_hashed(campaign: Campaign, manager: User, reviewer: User) -> None:
    export = _exported(campaign, manager)

    folder = export_folder(export)
    assert sorted(path.name for path in folder.iterdir()) == [
        "answers.jsonl", "manifest.json", "preference.jsonl", "rated.jsonl", "ratings.csv",
    ]  # fmt: skip
    listed = {entry["name"]: entry for entry in export.files}
    for path in folder.iterdir():
        data = path.read_bytes()
        assert (listed[path.name]["sha256"], listed[path.name]["size"]) == (
            hashlib.sha256(data).hexdigest(), len(data),
        )  # fmt: skip
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    pairs = [json.loads(line) for line in (folder / "preference.jsonl").read_text().splitlines()]
    ratings = list(csv.DictReader(io.StringIO((folder / "ratings.csv").read_text())))
    assert [listed[f"{name}"]["rows"] for name in ("answers.jsonl", "preference.jsonl", "ratings.csv")] == [
        len(answers), len(pairs), len(ratings),
    ]  # fmt: skip
    # 16 reviews of 5 criteria.
    assert (len(answers), len(pairs), len(ratings)) == (4, 4, 80)
    judged = [json.loads(line) for line in (folder / "rated.jsonl").read_text().splitlines()]
    assert listed["rated.jsonl"]["rows"] == len(judged)
    of_row_4 = [line["label"] for line in judged if line["prompt"][0]["content"] == "Summarise portfolio 4."]
    assert sorted(of_row_4) == [False, True]
    assert answers[0]["prompt"] == [{"role": "user", "content": "Summarise portfolio 1."}]
    assert answers[0]["completion"] == [{"role": "assistant", "content": BETTER.format(n=1)}]
    assert pairs[0]["chosen"][0]["content"] == BETTER.format(n=1)
    assert pairs[0]["rejected"][0]["content"] == "Portfolio 1 holds 60% shares and pays 1% a year."
    assert {row["correction"] for row in ratings} == {
        "",
        BETTER.format(n=1),
        "'=HYPERLINK(1)",
        BETTER.format(n=3),
    }
    assert {row["reviewer"] for row in ratings} == {"Reviewer 1", "Reviewer 2"}
    assert reviewer.email not in (folder / "ratings.csv").read_text()


def test_the_new_version_trains_on_feedback_and_keeps_evaluation_apart(
    campaign: Campaign, manager: User
) -> None:
    reviewed = campaign.dataset_version

    alone = _exported(campaign, manager).dataset_version
    beside = _exported(campaign, manager, keeps_training_rows=True).dataset_version

    assert alone is not None and beside is not None
    assert (alone.parent, alone.number, beside.number) == (reviewed, 2, 3)
    assert alone.counts == {"train": 4}
    assert beside.counts == {"train": 6}
    first = alone.examples.get(row_number=1)
    assert first.references == [BETTER.format(n=1)]
    assert first.pairs == [
        {"chosen": BETTER.format(n=1), "rejected": "Portfolio 1 holds 60% shares and pays 1% a year."}
    ]
    # Reviewed prompts are training data now, and so no evaluation of the next version.
    assert not beside.examples.filter(split=Split.FEEDBACK).exists()


def test_rated_answers_teach_beside_the_accepted_ones_unless_somebody_rejected_them(
    campaign: Campaign, manager: User
) -> None:
    export = make_proposed_rows(campaign, manager)
    [good] = export.rows.filter(kind=RowKind.ANSWER, is_included=True, review__isnull=True)
    decide_row(row=good, decision="rejected", by=manager)
    decide_all(export=export, decision="accepted", by=manager)
    _write(export, manager)
    version = export.dataset_version
    assert version is not None
    fourth = version.examples.get(prompt_hash=good.example.prompt_hash)
    # The answer was rejected, and its pair with it; that the other is bad stands.
    assert (fourth.references, fourth.pairs) == ([], [])
    assert [each["good"] for each in fourth.rated] == [False]
    assert fourth.provenance["export"] == export.pk


def test_the_same_feedback_exported_again_is_a_version_with_its_own_lineage(
    campaign: Campaign, manager: User
) -> None:
    first, second = _exported(campaign, manager), _exported(campaign, manager)

    assert first.dataset_version is not None and second.dataset_version is not None
    assert second.dataset_version.number == first.dataset_version.number + 1
    assert second.dataset_version.content_hash == first.dataset_version.content_hash
    row = second.dataset_version.examples.filter(split=Split.TRAIN)[0]
    assert row.provenance["export_row"] in set(second.rows.values_list("pk", flat=True))


def test_a_second_finish_is_refused(campaign: Campaign, manager: User) -> None:
    export = make_proposed_rows(campaign, manager)
    with pytest.raises(InvalidError, match="No row is accepted"):
        start_export(export=export, by=manager)
    decide_all(export=export, decision="accepted", by=manager)
    job = start_export(export=export, by=manager)
    with pytest.raises(ConflictError, match="being written or is done"):
        start_export(export=export, by=manager)
    with pytest.raises(ConflictError, match="being written or is done"):
        decide_all(export=export, decision="rejected", by=manager)
    write_export(job.pk)
    with pytest.raises(ConflictError):
        decide_row(row=export.rows.filter(is_included=True)[0], decision="rejected", by=manager)


def test_a_message_delivered_twice_and_a_job_repeated_make_one_version(
    campaign: Campaign, manager: User
) -> None:
    export = make_proposed_rows(campaign, manager)
    decide_all(export=export, decision="accepted", by=manager)
    job = start_export(export=export, by=manager)

    write_export(job.pk)
    write_export(job.pk)
    # As if its worker had died after the commit and before the job's ending was written.
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, finished_at=None)
    write_export(job.pk)

    export.refresh_from_db()
    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.SUCCEEDED, {"dataset_version": export.dataset_version_id})
    assert campaign.dataset_version.dataset.versions.count() == 2


def test_a_writer_killed_half_way_leaves_a_tray_that_can_be_written_again(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = make_proposed_rows(campaign, manager)
    decide_all(export=export, decision="accepted", by=manager)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("evalapp.exports.writing.create_version", fail)
        assert _write(export, manager).state == JobState.FAILED
    assert (export.state, export.files, export.dataset_version) == (ExportState.WRITING, [], None)

    # The rows may be decided on again, and the next writing takes them as they are then.
    decide_row(
        row=export.rows.filter(kind=RowKind.ANSWER, is_included=True)[0], decision="rejected", by=manager
    )
    assert _write(export, manager).state == JobState.SUCCEEDED
    assert {entry["name"]: entry["rows"] for entry in export.files}["answers.jsonl"] == 3
    assert campaign.dataset_version.dataset.versions.count() == 2


def test_lineage_from_a_rating_to_the_adapter_and_back(
    project: Project, campaign: Campaign, manager: User, reviewer: User
) -> None:
    export = _exported(campaign, manager)
    assert export.dataset_version is not None
    adapter = make_adapter(project, "v2", dataset_version=export.dataset_version)
    review = Review.objects.filter(reviewer=reviewer, correction__text=BETTER.format(n=1)).get()

    forward = review_lineage(project, review.pk)
    back = model_lineage(project, adapter.pk)

    assert {row.kind for row in forward.rows} == {"answer", "preference"}
    assert [run.produced for run in forward.runs] == [adapter]
    assert [step.version.label for step in back.steps] == ["v2", "Base"]
    assert back.steps[0].exports == [export]
    assert review.pk in {row.review_id for row in back.steps[0].rows}
    # A review that no export took leads nowhere.
    other = Review.objects.filter(correction__isnull=True).first()
    assert other is not None
    assert review_lineage(project, other.pk).runs == []


def test_lineage_survives_a_later_export_that_keeps_the_rows(
    project: Project, campaign: Campaign, manager: User, reviewer: User
) -> None:
    first = _exported(campaign, manager)
    row = first.rows.filter(kind=RowKind.ANSWER, review__isnull=False)[0]
    second = make_proposed_rows(campaign, manager)
    decide_all(export=second, decision="accepted", by=manager)
    start = start_export(
        export=second, by=manager, parent_version=first.dataset_version, keeps_training_rows=True
    )
    write_export(start.pk)
    second.refresh_from_db()
    assert second.dataset_version is not None
    adapter = make_adapter(project, "v3", dataset_version=second.dataset_version)

    row.refresh_from_db()
    assert row.training_example is not None
    assert row.training_example.version == first.dataset_version
    assert row.review_id is not None
    assert [run.produced for run in review_lineage(project, row.review_id).runs] == [adapter]
    assert model_lineage(project, adapter.pk).steps[0].exports == [first, second]
    assert ExportRow.objects.filter(training_example__version=second.dataset_version).count() == 10


@pytest.mark.parametrize("instead", ["nothing", "a folder", "a file for its folder"])
def test_a_file_that_is_no_more_is_told_with_the_way_out(
    instead: str, campaign: Campaign, manager: User
) -> None:
    export = _exported(campaign, manager)
    folder = export_folder(export)
    (folder / "answers.jsonl").unlink()
    if instead == "a folder":
        (folder / "answers.jsonl").mkdir()
    elif instead == "a file for its folder":
        folder.rename(folder.with_name("elsewhere"))
        folder.write_text("")
    secret = create_api_token(user=manager, name="Test", by=manager).secret
    slug = export.project.slug
    browser = client_of(manager)

    page = browser.get(f"/projects/{slug}/data/proposed-rows/{export.pk}/files/answers.jsonl")
    told = browser.get(
        f"/api/v1/projects/{slug}/exports/{export.pk}/files/answers.jsonl/",
        headers={"Authorization": f"Bearer {secret}"},
    )

    assert (page.status_code, told.status_code) == (404, 404)
    for answer in (page, told):
        assert "Restore it from a backup, or export again." in answer.text


def test_the_only_campaign_is_chosen_already(campaign: Campaign, manager: User, reviewer: User) -> None:
    address = f"/projects/{campaign.project.slug}/data/proposed-rows/new/"
    chosen = f'<option value="{campaign.pk}" selected>'
    assert chosen in client_of(manager).get(address).text
    make_campaign(campaign.project, [reviewer], name="Second round", texts={"other": "A {n}."})
    assert chosen not in client_of(manager).get(address).text
    assert chosen in client_of(manager).get(f"{address}?campaign={campaign.pk}").text
