"""Read queries on data health and drafts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from evalapp.accounts.models import Project
from evalapp.core.word_changes import WordChanges, word_changes
from evalapp.curation.kinds import KIND_DESCRIPTIONS, FindingKind, Proposal
from evalapp.curation.models import DatasetDraft, DraftState, Finding, HealthCheck, Operation, RowEdit
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.queries import versions_of
from evalapp.datasets.row_changes import field_label, text_at, with_changes
from evalapp.datasets.rows import example_row

_EXCERPT = 200
_KINDS_OF_TWO_ROWS = (FindingKind.EXACT_DUPLICATE, FindingKind.NEAR_DUPLICATE, FindingKind.CONFLICT)


class KindSummary(NamedTuple):
    """Findings of one kind: all, those kept, and those that the open draft settles. ``unchecked`` says why
    the kind was not checked, or only in part.
    """

    kind: FindingKind
    rows: int
    kept: int
    drafted: int
    proposal: str
    unchecked: str

    @property
    def open(self) -> int:
        return self.rows - self.kept - self.drafted

    @property
    def explained(self) -> str:
        return KIND_DESCRIPTIONS[self.kind].explained


def check_of(version: DatasetVersion) -> HealthCheck | None:
    """The version's health check, with its job; None where it was never checked."""
    return HealthCheck.objects.filter(version=version).select_related("job__created_by").first()


def open_draft_of(version: DatasetVersion) -> DatasetDraft | None:
    return version.drafts.filter(state=DraftState.OPEN).select_related("base__dataset").first()


def newer_version(version: DatasetVersion) -> DatasetVersion | None:
    """The dataset's newest version, if it is not this one."""
    newest = versions_of(version.dataset).order_by("-number").first()
    return newest if newest is not None and newest.pk != version.pk else None


def drafts_of(project: Project) -> QuerySet[DatasetDraft]:
    return DatasetDraft.objects.filter(base__dataset__project=project).select_related(
        "base__dataset__project", "version__dataset", "created_by", "job__created_by"
    )


def kinds_of(check: HealthCheck) -> list[KindSummary]:
    """Every kind, in the order of `FindingKind`."""
    draft = open_draft_of(check.version)
    kept = Counter(check.findings.filter(is_kept=True).values_list("kind", flat=True))
    drafted: Counter[str] = Counter()
    if draft is not None:
        settled = check.findings.filter(_settled_in(draft), is_kept=False)
        drafted = Counter(settled.values_list("kind", flat=True))
    proposals: dict[str, set[str]] = {}
    for kind, proposal in check.findings.values_list("kind", "proposal").distinct():
        proposals.setdefault(kind, set()).add(proposal)
    return [
        KindSummary(
            kind=kind,
            rows=check.counts.get(kind, 0),
            kept=kept[kind],
            drafted=drafted[kind],
            proposal=" / ".join(Proposal(each).label for each in sorted(proposals.get(kind, set()))),
            unchecked=check.unchecked.get(kind, ""),
        )
        for kind in FindingKind
    ]


SHOW_FILTERS = {"open": "Open", "drafted": "In the draft", "kept": "Kept", "": "All"}


def findings_of(check: HealthCheck, kind: str = "", show: str = "") -> QuerySet[Finding]:
    """Findings with their rows: of one kind, filtered by a key of `SHOW_FILTERS`."""
    found = check.findings.select_related("example", "kept_by")
    if kind:
        found = found.filter(kind=kind)
    draft = open_draft_of(check.version)
    settled = Q(pk__in=[]) if draft is None else _settled_in(draft)
    if show == "kept":
        return found.filter(is_kept=True)
    if show == "drafted":
        return found.filter(settled, is_kept=False)
    if show == "open":
        return found.filter(~settled, is_kept=False)
    return found


def _settled_in(draft: DatasetDraft) -> Q:
    """Findings whose row is removed, was edited by hand, or was changed as they propose; of repetitions and
    conflicts also those whose other row is removed. A change for another finding settles nothing: a row that
    is masked still has its broken answer.
    """
    edits = draft.edits.filter(example=OuterRef("example"))
    of_any = edits.filter(
        Q(operation__in=[Operation.DROP, Operation.MERGE]) | Q(kind="") | Q(kind=OuterRef("kind"))
    )
    masked = edits.annotate(words=Cast("changes", TextField())).filter(words__contains="⟨")
    others = draft.edits.annotate(first=Cast(OuterRef("other_rows__0"), IntegerField()))
    others = others.filter(example__row_number=F("first"))
    return (
        Q(Exists(of_any))
        | Q(Exists(others.filter(operation=Operation.DROP)), kind__in=_KINDS_OF_TWO_ROWS)
        | Q(Exists(others.filter(operation=Operation.MERGE)), kind=FindingKind.CONFLICT)
        | Q(Exists(edits.filter(changes__contains=OuterRef("changes"))), proposal=Proposal.CHANGE)
        | Q(Exists(masked), proposal=Proposal.MASK)
    )


class TextPiece(NamedTuple):
    """A part of a text; ``type`` of personal data, or "" for ordinary text."""

    text: str
    type: str


class ShownFinding(NamedTuple):
    """A finding as pages show it. ``pieces``: personal data with the text around them. ``answer``: the row's
    first reference. ``other``: a row that it was compared with, and ``differences`` the words in which they
    differ. ``changes`` of its proposal, word by word.
    """

    finding: Finding
    pieces: list[tuple[str, list[TextPiece]]]
    answer: str
    other: Example | None
    differences: list[tuple[str, WordChanges]]
    changes: list[tuple[str, WordChanges]]
    is_drafted: bool


def shown_findings(check: HealthCheck, findings: Iterable[Finding]) -> list[ShownFinding]:
    """These findings with everything that a page shows of their rows, in three queries."""
    findings = list(findings)
    numbers = {number for finding in findings for number in finding.other_rows[:1]}
    others = {each.row_number: each for each in check.version.examples.filter(row_number__in=numbers)}
    draft = open_draft_of(check.version)
    shown = check.findings.filter(pk__in=[finding.pk for finding in findings])
    settled = set(shown.filter(_settled_in(draft)).values_list("pk", flat=True)) if draft else set()
    return [
        ShownFinding(
            finding=finding,
            pieces=_pieces(finding),
            answer=next(iter(finding.example.references), "") if finding.example else "",
            other=(other := others.get(next(iter(finding.other_rows), 0))),
            differences=_differences(finding.example, other) if finding.example and other else [],
            changes=changed_texts(finding.example, finding.changes) if finding.example else [],
            is_drafted=finding.pk in settled,
        )
        for finding in findings
    ]


def _differences(example: Example, other: Example) -> list[tuple[str, WordChanges]]:
    before, after = (next(iter(each.references), "") for each in (other, example))
    return [
        ("Prompt", word_changes(other.prompt_text, example.prompt_text)),
        ("Reference", word_changes(before, after)),
    ]


def _pieces(finding: Finding) -> list[tuple[str, list[TextPiece]]]:
    if finding.example is None or not finding.spans:
        return []
    row = example_row(finding.example)
    found = []
    for name in dict.fromkeys(span["field"] for span in finding.spans):
        spans = sorted(
            (each for each in finding.spans if each["field"] == name), key=lambda each: each["start"]
        )
        text, end, pieces = text_at(row, name), 0, []
        for span in spans:
            pieces += [
                TextPiece(_shortened(text[end : span["start"]]), ""),
                TextPiece(text[span["start"] : span["end"]], span["type"]),
            ]
            end = span["end"]
        found.append((field_label(row, name), [*pieces, TextPiece(_shortened(text[end:]), "")]))
    return found


def _shortened(text: str) -> str:
    half = _EXCERPT // 2
    return text if len(text) <= _EXCERPT else f"{text[:half]} … {text[-half:]}"


def changed_texts(example: Example, changes: Mapping[str, Any]) -> list[tuple[str, WordChanges]]:
    """Label of each changed field, with a word-by-word diff against the row."""
    before = example_row(example)
    after = with_changes(before, changes)
    found = []
    for name in changes:
        old, new = (
            "\n".join(row.references) if name == "references" else text_at(row, name)
            for row in (before, after)
        )
        found.append((field_label(before, name), word_changes(old, new)))
    return found


class ShownEdit(NamedTuple):
    edit: RowEdit
    changes: list[tuple[str, WordChanges]]


def shown_edits(edits: Iterable[RowEdit]) -> list[ShownEdit]:
    return [ShownEdit(edit, changed_texts(edit.example, edit.changes)) for edit in edits]


def edits_of(draft: DatasetDraft, operation: str = "") -> QuerySet[RowEdit]:
    edits = draft.edits.select_related("example", "edited_by").order_by("example__row_number")
    return edits.filter(operation=operation) if operation in Operation.values else edits


def history_of(example: Example) -> QuerySet[RowEdit]:
    """Edits of the row by published drafts, in every version of its dataset, and merges of other rows into
    it; latest first.
    """
    same = Example.objects.filter(version=OuterRef("draft__base"), row_key=example.row_key)
    own = Q(example__row_key=example.row_key)
    merged = Q(operation=Operation.MERGE, into_row=Subquery(same.values("row_number")[:1]))
    return (
        RowEdit.objects.filter(
            own | merged,
            draft__state=DraftState.PUBLISHED,
            draft__base__dataset=example.version.dataset_id,
        )
        .select_related("draft__version__dataset", "example__version__dataset", "edited_by")
        .order_by("-draft__version__number", "pk")
    )


class Correction(NamedTuple):
    """A correction that reached the dataset. ``version``: the first that has the row as the ``review`` (id)
    changed it.
    """

    version: DatasetVersion
    review: int


def corrections_of(example: Example) -> list[Correction]:
    """The reviews from which versions of the dataset took the row, by an export or a recipe; latest first."""
    reviewed = Example.objects.filter(
        version__dataset=example.version.dataset_id, row_key=example.row_key, provenance__review__gt=0
    )
    found: dict[int, Correction] = {}
    for each in reviewed.select_related("version__dataset").order_by("version__number"):
        review = each.provenance["review"]
        found.setdefault(review, Correction(each.version, review))
    return list(found.values())[::-1]
