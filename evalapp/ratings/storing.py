"""From the staged records to a closed campaign, by statements over whole tables. Call it in a transaction.

These rows say what happened elsewhere, so they do not go through the services that hand out and take
reviews here: there are no leases, and no submission is open. What must always be true of them is held
by the same constraints.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    CampaignState,
    Item,
    ItemOutput,
)
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job
from evalapp.ratings.census import MOST_SINGLE_REVIEWERS
from evalapp.ratings.inserting import insert_from
from evalapp.ratings.masking import mask_staged_texts
from evalapp.ratings.models import RatingsImport
from evalapp.ratings.options import RatingsOptions
from evalapp.ratings.plan import ImportPlan
from evalapp.ratings.services import record_reviewer
from evalapp.ratings.span_storage import keep_missing_spans_as_words, store_spans
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_imported
from evalapp.reviews.models import Correction, Review, Score, TextAnswer
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, freeze, save_version
from evalapp.runs.models import Output, Run, RunCandidate, RunKind
from evalapp.runs.signals import outputs_stored

Created = TypeVar("Created")

_EXAMPLES_AT_ONCE = 1_000
_NAMES_TRIED = 50

_USED_ITEMS = """
CREATE TEMPORARY TABLE ratings_used ON COMMIT DROP AS
SELECT i.item, i.name, row_number() OVER (ORDER BY i.item)::int AS number
FROM ratings_item i WHERE EXISTS (SELECT 1 FROM ratings_value v WHERE v.item = i.item)
"""
_EXAMPLES = """
SELECT u.number, p.messages::text, p.refs::text, p.context, p.metadata::text, p.group_key
FROM ratings_used u JOIN ratings_prompt p ON p.item = u.item
WHERE u.number > %s ORDER BY u.number LIMIT %s
"""
_REFERENCES = """
UPDATE ratings_prompt p SET refs = jsonb_build_array(a.answer)
FROM ratings_answer a WHERE a.item = p.item AND a.candidate = %s AND jsonb_array_length(p.refs) = 0
"""
_EXAMPLE_IDS = """
INSERT INTO ratings_example SELECT u.item, e.id, 1 FROM ratings_used u
JOIN evalapp_example e ON e.version_id = %s AND e.row_number = u.number
"""
_CANDIDATES = """
CREATE TEMPORARY TABLE ratings_candidate ON COMMIT DROP AS
SELECT * FROM unnest(%(slots)s::int[], %(versions)s::bigint[], %(entries)s::bigint[])
    AS c(candidate, version_id, entry_id)
"""
_PEOPLE = """
CREATE TEMPORARY TABLE ratings_person ON COMMIT DROP AS
SELECT * FROM unnest(%(slots)s::int[], %(users)s::bigint[]) AS p(reviewer, user_id)
"""
_CRITERIA = """
CREATE TEMPORARY TABLE ratings_criterion ON COMMIT DROP AS
SELECT (row_number() OVER (ORDER BY position) - 1)::int AS criterion, id, minimum, maximum, kind
FROM evalapp_criterion WHERE version_id = %s
"""
_OUTPUT_IDS = """
UPDATE ratings_answer a SET output_id = o.id
FROM ratings_example e, ratings_candidate c, evalapp_output o
WHERE a.output_id IS NULL AND e.item = a.item AND c.candidate = a.candidate AND o.run_id = %s
  AND o.example_id = e.example_id AND o.candidate_id = c.version_id
"""
_ITEM_IDS = """
CREATE TEMPORARY TABLE ratings_entry ON COMMIT DROP AS
SELECT e.item, a.candidate, io.id AS item_output_id, i.id AS item_id
FROM ratings_answer a JOIN ratings_example e ON e.item = a.item
JOIN ratings_candidate c ON c.candidate = a.candidate
JOIN evalapp_item i ON i.campaign_id = %(campaign)s AND i.example_id = e.example_id
JOIN evalapp_itemoutput io ON io.item_id = i.id AND io.candidate_id = c.entry_id
"""
# A time that stands on every row of a review is the review's; different ones are of its single ratings.
_REVIEWS = """
CREATE TEMPORARY TABLE ratings_review ON COMMIT DROP AS
SELECT v.item, v.candidate, v.reviewer, min(v.record) AS first,
    CASE WHEN min(v.seconds) = max(v.seconds) THEN max(v.seconds)
        ELSE coalesce(sum(v.seconds), 0) END AS seconds,
    max(v.submitted_at) AS submitted_at, max(v.correction) AS correction,
    coalesce(string_agg(DISTINCT v.comment, E'\\n'), '') AS comment
FROM ratings_value v GROUP BY v.item, v.candidate, v.reviewer
"""
_ASSIGNMENTS = """
(SELECT r.item, n.item_id, r.reviewer, p.user_id,
    row_number() OVER (PARTITION BY r.item ORDER BY r.reviewer) AS number,
    row_number() OVER (ORDER BY r.item, r.reviewer) AS rank,
    array_agg(n.item_output_id ORDER BY r.candidate) AS outputs
 FROM ratings_review r JOIN ratings_person p ON p.reviewer = r.reviewer
 JOIN ratings_entry n ON n.item = r.item AND n.candidate = r.candidate
 GROUP BY r.item, n.item_id, r.reviewer, p.user_id) AS assignment
"""
_REVIEW_IDS = """
ALTER TABLE ratings_review ADD COLUMN review_id bigint;
UPDATE ratings_review r SET review_id = v.id
FROM ratings_entry n, ratings_person p, evalapp_review v
WHERE n.item = r.item AND n.candidate = r.candidate AND p.reviewer = r.reviewer
  AND v.reviewer_id = p.user_id AND v.item_output_id = n.item_output_id;
"""
_CAMPAIGN_REVIEWERS = """
UPDATE evalapp_campaignreviewer s SET reviews_done = t.n, seconds_active = t.seconds
FROM (SELECT reviewer_id, count(*) AS n, sum(seconds_active) AS seconds FROM evalapp_review
      WHERE campaign_id = %(campaign)s GROUP BY reviewer_id) AS t
WHERE s.campaign_id = %(campaign)s AND s.user_id = t.reviewer_id
"""


class ImportStorage:
    """The steps of one import, in order; each needs the rows of those before it."""

    def __init__(
        self, ratings_import: RatingsImport, plan: ImportPlan, options: RatingsOptions, job: Job
    ) -> None:
        self._import = ratings_import
        self._project: Project = ratings_import.project
        self._by = ratings_import.created_by
        self._plan = plan
        self._options = options
        self._job = job

    def store(self) -> Campaign:
        """Everything: rubric, candidates, people, texts, answers, campaign, reviews. Raises InvalidError
        where no record is left, ConflictError for a name that is taken.
        """
        _execute(_USED_ITEMS)
        if not _first_value("SELECT count(*) FROM ratings_used"):
            raise InvalidError("No record can be imported, so nothing was imported. See the problems.")
        rubric = self._rubric()
        versions = self._candidates()
        people = self._people()
        data = self._data()
        if self._project.masks_personal_data:
            mask_staged_texts(self._project)
        campaign = self._campaign(rubric, data, versions, people)
        run = self._outputs(data, versions)
        self._items(campaign)
        self._reviews(campaign)
        self._answers()
        self._finish(campaign)
        if run is not None:
            outputs_stored.send(sender=Run, run=run)
        return campaign

    def _rubric(self) -> RubricVersion:
        version = self._plan.rubric_version
        if version is None:
            rubric = self._create_named(create_rubric, f"Created from {self._import.file_name}.")
            version = save_version(rubric=rubric, criteria=self._plan.criteria, by=self._by)
        freeze(rubric_version=version, by=self._by)
        _execute(_CRITERIA, [version.pk])
        return version

    def _create_named(self, make: Callable[..., Created], description: str) -> Created:
        """What is made beside the campaign, by its name or one like it that is free."""
        wanted = self._options.name
        for name in (wanted[:120], *(f"{wanted[:110]} ({number})" for number in range(2, _NAMES_TRIED))):
            with suppress(ConflictError), transaction.atomic():
                return make(project=self._project, name=name, by=self._by, description=description)
        raise ConflictError(
            f"This project already has too many objects named “{wanted}”. Choose another name."
        )

    def _candidates(self) -> list[ModelVersion]:
        return [
            (
                register_imported(project=self._project, label=each, by=self._by)
                if isinstance(each, str)
                else each
            )
            for each in self._plan.candidates
        ]

    def _people(self) -> list[User]:
        people = [
            record_reviewer(project=self._project, name=each, by=self._by) if isinstance(each, str) else each
            for each in self._plan.reviewers
        ]
        users = [person.pk for person in people]
        _execute(_PEOPLE, {"slots": list(range(len(users))), "users": users})
        return people

    def _data(self) -> DatasetVersion:
        if self._plan.dataset_version is not None:
            return self._plan.dataset_version
        if named := self._options.reference_candidate:
            _execute(_REFERENCES, [self._plan.candidate_names.slots.get(named)])
        dataset = self._create_named(create_dataset, f"Items reviewed in {self._import.file_name}.")
        version = create_version(
            dataset=dataset, rows=_examples(), by=self._by, source=self._import.file_name
        )
        _execute(_EXAMPLE_IDS, [version.pk])
        _execute("ANALYZE ratings_example")
        return version

    def _campaign(
        self, rubric: RubricVersion, data: DatasetVersion, versions: list[ModelVersion], people: list[User]
    ) -> Campaign:
        first, last = _first_row("SELECT min(submitted_at), max(submitted_at) FROM ratings_value")
        now = timezone.now()
        name = checked_name(self._options.name, of="the campaign")
        with unless_taken(
            f"This project has a campaign named “{name}” already. Choose another name.", field="name"
        ):
            campaign = Campaign.objects.create(
                project=self._project,
                name=name,
                rubric_version=rubric,
                dataset_version=data,
                split=self._split(data),
                state=CampaignState.CLOSED,
                opened_at=first or now,
                closed_at=last or now,
                is_blind=self._options.is_blind,
                names_are_positions=self._options.names_are_positions
                or len(self._plan.reviewers) > MOST_SINGLE_REVIEWERS,
                is_imported=True,
                created_by=self._by,
            )
        entries = CampaignCandidate.objects.bulk_create(
            CampaignCandidate(campaign=campaign, model_version=version, position=position)
            for position, version in enumerate(versions)
        )
        parameters = {
            "slots": list(range(len(versions))),
            "versions": [version.pk for version in versions],
            "entries": [entry.pk for entry in entries],
        }
        _execute(_CANDIDATES, parameters)
        CampaignReviewer.objects.bulk_create(
            CampaignReviewer(campaign=campaign, user=person) for person in people
        )
        return campaign

    def _split(self, data: DatasetVersion) -> str:
        """Of the split that most of the items are in; an import may reach over several."""
        split = _first_value(
            "SELECT e.split FROM evalapp_example e JOIN ratings_example r ON r.example_id = e.id "
            "JOIN ratings_used u ON u.item = r.item GROUP BY e.split ORDER BY count(*) DESC, e.split LIMIT 1"
        )
        return str(split or Split.FEEDBACK)

    def _outputs(self, data: DatasetVersion, versions: list[ModelVersion]) -> Run | None:
        """A run of its own for the answers that are not here yet; None where all are."""
        wanted = (
            "ratings_answer a JOIN ratings_used u ON u.item = a.item "
            "JOIN ratings_example e ON e.item = a.item JOIN ratings_candidate c ON c.candidate = a.candidate "
            "WHERE a.output_id IS NULL"
        )
        count = _first_value(f"SELECT count(*) FROM {wanted}")  # noqa: S608 - a constant
        if not count:
            return None
        run = Run.objects.create(
            project=self._project,
            kind=RunKind.IMPORT,
            name=f"Answers of {self._options.name}"[:120],
            job=self._job,
            dataset_version=data,
            splits=[self._split(data)],
            rows={"in": count, "used": count, "truncated": 0, "dropped": 0, "reasons": {}},
            engine="imported",
            engine_reason=f"The outputs were imported with the ratings in {self._import.file_name}.",
            created_by=self._by,
        )
        record("run.started", by=self._by, obj=run, project=self._project, data={"kind": run.kind})
        RunCandidate.objects.bulk_create(
            RunCandidate(run=run, model_version=version, key=f"candidate-{version.pk}")
            for version in versions
        )
        insert_from(
            Output,
            {
                "run_id": "%(run)s",
                "example_id": "e.example_id",
                "candidate_id": "c.version_id",
                "text": "a.answer",
            },
            f"{wanted} ORDER BY a.item, a.candidate",
            {"run": run.pk},
        )
        _execute(_OUTPUT_IDS, [run.pk])
        return run

    def _items(self, campaign: Campaign) -> None:
        own = {"campaign": campaign.pk}
        insert_from(
            Item,
            {"campaign_id": "%(campaign)s", "example_id": "e.example_id"},
            "ratings_used u JOIN ratings_example e ON e.item = u.item ORDER BY u.number",
            own,
        )
        insert_from(
            ItemOutput,
            {"item_id": "i.id", "output_id": "a.output_id", "candidate_id": "c.entry_id"},
            "ratings_used u JOIN ratings_example e ON e.item = u.item "
            "JOIN ratings_answer a ON a.item = u.item JOIN ratings_candidate c ON c.candidate = a.candidate "
            "JOIN evalapp_item i ON i.campaign_id = %(campaign)s AND i.example_id = e.example_id "
            "ORDER BY i.id, c.candidate",
            own,
        )
        _execute(_ITEM_IDS, own)
        _execute("ANALYZE ratings_entry")

    def _reviews(self, campaign: Campaign) -> None:
        own = {
            "campaign": campaign.pk,
            "complete": AssignmentState.SUBMITTED.value,
            "import": self._import.pk,
        }
        _execute(_REVIEWS)
        keep_missing_spans_as_words()
        _execute("ANALYZE ratings_review")
        insert_from(
            Assignment,
            {
                "item_id": "assignment.item_id",
                "campaign_id": "%(campaign)s",
                "number": "assignment.number",
                "key": "gen_random_uuid()",
                "rank": "assignment.rank",
                "state": "%(complete)s",
                "reviewer_id": "assignment.user_id",
                "outputs_order": "assignment.outputs",
                "open_slots": "ARRAY[]::smallint[]",
                "outputs_total": "cardinality(assignment.outputs)",
                "reviews_done": "cardinality(assignment.outputs)",
            },
            f"{_ASSIGNMENTS} ORDER BY assignment.rank",
            own,
        )
        insert_from(
            Review,
            {
                "campaign_id": "%(campaign)s",
                "assignment_id": "pl.id",
                "item_output_id": "n.item_output_id",
                "reviewer_id": "p.user_id",
                "client_id": "gen_random_uuid()",
                "body_hash": (
                    "encode(sha256(convert_to(concat_ws(':', 'ratings', %(import)s::text, "
                    "r.first::text), 'UTF8')), 'hex')"
                ),
                "comment": "r.comment",
                "seconds_active": "coalesce(r.seconds, 0)",
                "submitted_at": "coalesce(r.submitted_at, now())",
            },
            "ratings_review r JOIN ratings_person p ON p.reviewer = r.reviewer JOIN ratings_entry n ON n.item"
            " = r.item AND n.candidate = r.candidate JOIN evalapp_assignment pl ON pl.item_id = n.item_id AND"
            " pl.reviewer_id = p.user_id ORDER BY r.first",
            own,
        )
        _execute(_REVIEW_IDS)

    def _answers(self) -> None:
        said = (
            "ratings_value v JOIN ratings_review r ON r.item = v.item AND r.candidate = v.candidate "
            "AND r.reviewer = v.reviewer JOIN ratings_criterion c ON c.criterion = v.criterion"
        )
        insert_from(
            Score,
            {
                "review_id": "r.review_id",
                "criterion_id": "c.id",
                "value": "v.level",
                "is_not_applicable": "v.level IS NULL",
                "minimum": "c.minimum",
                "maximum": "c.maximum",
            },
            f"{said} WHERE v.words IS NULL ORDER BY r.review_id",
        )
        insert_from(
            TextAnswer,
            {"review_id": "r.review_id", "criterion_id": "c.id", "text": "v.words"},
            f"{said} WHERE v.words IS NOT NULL",
        )
        store_spans()
        insert_from(
            Correction,
            {"review_id": "r.review_id", "text": "r.correction"},
            "ratings_review r JOIN ratings_answer a ON a.item = r.item AND a.candidate = r.candidate "
            "WHERE r.correction IS NOT NULL AND r.correction <> a.answer",
        )

    def _finish(self, campaign: Campaign) -> None:
        # The results are planned from the statistics of what was written, however soon they are asked for.
        for model in (Item, ItemOutput, Review, Score):
            _execute(f"ANALYZE (SKIP_LOCKED) {model._meta.db_table}")
        _execute(_CAMPAIGN_REVIEWERS, {"campaign": campaign.pk})
        campaign.items_total = _first_value("SELECT count(*) FROM ratings_used")
        campaign.reviews_total = _first_value("SELECT count(*) FROM ratings_review")
        campaign.overlap = max(
            1,
            _first_value(
                "SELECT max(n) FROM (SELECT count(DISTINCT reviewer) n FROM ratings_review GROUP BY item) t"
            ),
        )
        campaign.save(update_fields=["items_total", "reviews_total", "overlap"])
        record(
            "campaign.imported",
            by=self._by,
            obj=campaign,
            project=self._project,
            data={
                "ratings_import": self._import.pk,
                "content_hash": self._import.content_hash,
                "items": campaign.items_total,
                "reviews": campaign.reviews_total,
            },
        )


def _examples() -> Iterator[ExampleRow]:
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_EXAMPLES, [last, _EXAMPLES_AT_ONCE])
            rows = cursor.fetchall()
        for number, messages, references, context, metadata, group in rows:
            last = number
            yield ExampleRow(
                split=Split.FEEDBACK,
                messages=json.loads(messages),
                references=json.loads(references),
                context=context,
                metadata=json.loads(metadata),
                group_key=group,
            )
        if len(rows) < _EXAMPLES_AT_ONCE:
            return


def _execute(statement: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _first_row(statement: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchone() or ())


def _first_value(statement: str) -> Any:
    row = _first_row(statement)
    return row[0] if row else None
