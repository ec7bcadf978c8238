"""A candidate's known training data, and whether it contains a tested prompt."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.datasets.contamination import contamination
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.queries import TRAINING_SPLITS
from evalapp.gates.models import TrainingDataAttestation
from evalapp.registry.models import EXTERNAL_KINDS, ModelKind, ModelVersion
from evalapp.runs.contamination.contamination_decisions import decisions_behind
from evalapp.runs.models import ContaminationDecision, Run, RunKind

_FIELDS = ("row_number", "prompt_hash", "messages", "references", "pairs", "rated")
_CHUNK = 1_000


class TrainingData(NamedTuple):
    """The dataset versions behind a candidate, newest first. ``unknown``: why they are incomplete, or "".
    ``allowed``: owners' decisions that permitted training on evaluation rows.
    """

    versions: list[DatasetVersion]
    unknown: str
    allowed: Sequence[ContaminationDecision] = ()


class CleanCheck(NamedTuple):
    """``is_clean``: None if it cannot be told. ``words``: the finding as a sentence. ``allowed``: the owners'
    decisions that permitted training on evaluation rows, tested here or not. ``attested``: the attestation on
    unknown training data, as in a dossier; None without one.
    """

    is_clean: bool | None
    words: str
    allowed: Sequence[dict[str, Any]] = ()
    attested: dict[str, Any] | None = None


def training_data_of(candidate: ModelVersion) -> TrainingData:
    """The training data of the candidate, of the versions that it was continued from, and of its base."""
    versions, unknown = _training_versions(candidate)
    return TrainingData(versions, unknown, decisions_behind(candidate))


def _training_versions(candidate: ModelVersion) -> tuple[list[DatasetVersion], str]:
    """The versions, and why they are incomplete, or ""."""
    versions: list[DatasetVersion] = []
    current: ModelVersion | None = candidate
    while current is not None:
        if current.kind in EXTERNAL_KINDS:
            versions += _versions_shown_in_prompt(current, versions)
            return versions, f"{current.label} was not created here"
        if current.is_tuned:
            run = training_of(current)
            if run is None:
                return versions, f"{current.label} was trained elsewhere"
            if run.dataset_version not in versions:
                versions.append(run.dataset_version)
        else:
            versions += _versions_shown_in_prompt(current, versions)
        current = current.parent or current.base
    return versions, ""


def _versions_shown_in_prompt(prompt: ModelVersion, known: list[DatasetVersion]) -> list[DatasetVersion]:
    """The version whose training rows a prompt contains as examples."""
    shown = DatasetVersion.objects.filter(pk=prompt.config.get("examples", {}).get("dataset_version"))
    return [version for version in shown.select_related("dataset") if version not in known]


def training_of(candidate: ModelVersion) -> Run | None:
    """The training run that made this version; None if it was made otherwise."""
    return (
        Run.objects.filter(kind=RunKind.TRAINING, produced=candidate)
        .select_related("dataset_version__dataset", "created_by")
        .first()
    )


def clean_check(
    campaign: Campaign, data: TrainingData, attestation: TrainingDataAttestation | None = None
) -> CleanCheck:
    """Compare the campaign's examples with the rows that trained and tuned the candidate.

    The rule is that of `datasets.contamination`: an exact prompt, or half of its 8-word runs in one row. For
    training data unknown here, an ``attestation`` is accepted.
    """
    attestation = attestation if data.unknown else None
    is_clean, words = _compare_with_training_rows(campaign, data, is_attested=attestation is not None)
    attested = [] if attestation is None else [_attestation_sentence(attestation)]
    return CleanCheck(
        is_clean,
        " ".join([words, *attested, *(_decision_sentence(each) for each in data.allowed)]),
        [_describe_decision(each) for each in data.allowed],
        None if attestation is None else _describe_attestation(attestation),
    )


def _attestation_sentence(attestation: TrainingDataAttestation) -> str:
    return f"Attested on {attestation.created_at:%-d %B %Y}: “{attestation.statement}”"


def _describe_attestation(attestation: TrainingDataAttestation) -> dict[str, Any]:
    """As in a dossier: without names of people, who may leave while sealed content stays."""
    return {
        "id": attestation.pk,
        "statement": attestation.statement,
        "attested_at": attestation.created_at.isoformat(),
    }


def _compare_with_training_rows(
    campaign: Campaign, data: TrainingData, *, is_attested: bool
) -> tuple[bool | None, str]:
    if data.unknown and not (is_attested and data.versions):
        is_clean = True if is_attested else None
        return is_clean, f"{data.unknown}, so its training data is not known here."
    if not data.versions:
        return True, "It was not fine-tuned here; the training data of its base is not known."
    training = (
        Example.objects.filter(version__in=data.versions, split__in=TRAINING_SPLITS)
        .order_by("version_id", "row_number")
        .only(*_FIELDS)
    )
    tested = Example.objects.filter(items__campaign=campaign, items__purpose=Purpose.REVIEW).only(*_FIELDS)
    report = contamination(training.iterator(_CHUNK), tested, templates=_prompt_texts(campaign))
    if report.is_refused:
        return False, " ".join(report.sentences())
    shared = len({match.evaluation_row for match in report.shared})
    more = f" {shared:,} share 13 consecutive words with one; this is only reported." if shared else ""
    return (
        True,
        (
            f"None of the {report.evaluation_rows:,} tested prompts is in the {report.training_rows:,}"
            f" training rows{' that are known here' if data.unknown else ''}.{more}"
        ),
    )


def _decision_sentence(decision: ContaminationDecision) -> str:
    """A gate never silently passes a candidate trained on evaluation rows."""
    rows = len(decision.training_rows)
    counted = f"{rows:,} row{'' if rows == 1 else 's'} of {decision.dataset_version}"
    return (
        f"By an owner's decision of {decision.created_at:%-d %B %Y} it was trained on {counted} that"
        f" {'is' if rows == 1 else 'are'} also used for evaluation: “{decision.reason}”"
    )


def _describe_decision(decision: ContaminationDecision) -> dict[str, Any]:
    """As in a dossier: without names of people, who may leave while sealed content stays."""
    return {
        "id": decision.pk,
        "dataset_version": decision.dataset_version_id,
        "content_hash": decision.dataset_version.content_hash,
        "rows": decision.training_rows,
        "rows_hash": decision.rows_hash,
        "reason": decision.reason,
        "decided_at": decision.created_at.isoformat(),
    }


def _prompt_texts(campaign: Campaign) -> list[str]:
    """The texts of the project's prompt candidates, which are no evidence of contamination."""
    prompts = ModelVersion.objects.filter(project=campaign.project_id, kind=ModelKind.PROMPT)
    pairs = prompts.values_list("system_prompt", "prompt_template")
    return [text for pair in pairs for text in pair if text]


def describe_dataset_version(version: DatasetVersion, role: str, split: str = "") -> dict[str, Any]:
    """A dataset version as in a dossier: by its hash."""
    return {
        "role": role,
        "id": version.pk,
        "number": version.number,
        "split": split,
        "content_hash": version.content_hash,
    }


def describe_candidate(version: ModelVersion, role: str) -> dict[str, Any]:
    """A candidate as in a dossier: by the hash of its adapter, weights or prompt."""
    return {
        "role": role,
        "id": version.pk,
        "label": version.label,
        "kind": version.kind,
        "content_hash": version.content_hash,
        "base_hash": version.base.content_hash if version.base is not None else "",
    }
