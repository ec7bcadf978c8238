"""The vault of a project that masks personal data: the encrypted originals of its rows' placeholders."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.conversations.text import with_every_text
from evalapp.core.errors import InvalidError
from evalapp.core.sealing import OtherSecretKeyError, opened, sealed
from evalapp.datasets.formats import example_as_object
from evalapp.datasets.masking import Masks, Originals, masked_row
from evalapp.datasets.models import Example, VaultEntry
from evalapp.datasets.rows import ExampleRow
from evalapp.privacy.personal_data import personal_spans
from evalapp.privacy.rules import MaskingRules

ENTRY = "vault"
"""The field of a row's provenance that names its vault entry."""

_PURPOSE = "evalapp.datasets.vault"
# Two to five words in capitals, such as "Anna Weber" or "WEBER, Anna".
_NAME_LIKE = re.compile(r"[^\W\d_a-z][\w'’.-]*(?:,? [^\W\d_a-z][\w'’.-]*){1,4}")
_PLACEHOLDER = re.compile(r"⟨[^⟨⟩]{1,40}⟩")
_ROWS_NAMESPACE = UUID("8f1f0c52-6a57-4b0e-9c53-2a6f3d1f7b1e")
_AT_ONCE = 1_000
_DIGITS = 10


class Vault:
    """Masks rows of a project that masks personal data, and keeps their originals until `store` writes them.
    A row that was masked before keeps its placeholders.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._rules = rules_of(project)
        self._entries: dict[UUID, Originals] = {}

    def masked(self, row: ExampleRow) -> ExampleRow:
        """The row with placeholders, and the id of its vault entry in its provenance; the given row where it
        holds no personal data.
        """
        masked, originals = masked_row(row, self._rules, {}, self.pseudonym_of)
        if masked is row:
            return row
        token = token_of(row.provenance)
        if token is not None:
            known = self._entries.get(token) or originals_of(self._project, token)
            masked, originals = masked_row(row, self._rules, known, self.pseudonym_of)
        token = token or uuid4()
        self._entries[token] = originals
        return replace(masked, provenance={**masked.provenance, ENTRY: str(token)})

    def pseudonym_of(self, name: str) -> str:
        """The pseudonym of a group or row name throughout the project: a code where the name holds personal
        data or reads like a person's name, else the name itself. It depends only on the name.
        """
        if not _NAME_LIKE.fullmatch(name) and not personal_spans(name, self._rules):
            return name
        digest = salted_hmac(f"{_PURPOSE}.{self._project.pk}", name, algorithm="sha256").hexdigest()
        return f"⟨{digest[:_DIGITS]}⟩"

    def masked_text(self, text: str) -> str:
        """A standalone text, masked as if it began a row; its originals are not kept."""
        row = ExampleRow(split="", messages=(), references=[text])
        return masked_row(row, self._rules, {}, self.pseudonym_of).row.references[0]

    def hold(self, example: Example) -> None:
        """Lock the row's vault entry until this transaction ends, so that two writers do not give one
        placeholder to two people.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(token_of_example(example))]
            )

    def masks_of(self, example: Example, texts: Sequence[str]) -> Masks:
        """Masks for texts that belong to a stored row, such as answers to it, using the row's placeholders.
        `keep` them once the texts are masked.
        """
        token = token_of_example(example)
        known = self._entries.get(token) or originals_of(self._project, token)
        return Masks(((text, personal_spans(text, self._rules)) for text in texts), known)

    def keep(self, example: Example, masks: Masks) -> None:
        if masks.originals:
            self._entries[token_of_example(example)] = masks.originals

    def masked_answers(self, example: Example, answers: Sequence[str]) -> list[str]:
        """Answers to a stored row, with placeholders."""
        masks = self.masks_of(example, answers)
        masked = [masks.masked(text) for text in answers]
        self.keep(example, masks)
        return masked

    def store(self) -> None:
        """Write the originals; call inside the transaction that writes the masked rows."""
        entries = [
            VaultEntry(
                project=self._project,
                token=token,
                sealed=sealed_originals(self._project.pk, originals),
            )
            for token, originals in self._entries.items()
        ]
        VaultEntry.objects.bulk_create(
            entries,
            batch_size=_AT_ONCE,
            update_conflicts=True,
            unique_fields=["token"],
            update_fields=["sealed"],
        )
        self._entries.clear()


def rules_of(project: Project) -> MaskingRules:
    """What the project masks in addition to the defaults, and what it never masks."""
    stored = project.masking_rules
    patterns = tuple((kind, pattern) for kind, pattern in stored.get("patterns", ()))
    return MaskingRules(patterns, tuple(stored.get("allowed", ())))


def token_of(provenance: Mapping[str, Any]) -> UUID | None:
    """The id of a row's vault entry, from its provenance."""
    token = provenance.get(ENTRY)
    return UUID(token) if isinstance(token, str) else None


def token_of_example(example: Example) -> UUID:
    """The id of a stored row's vault entry; for an unmasked row, of the entry for the answers to it."""
    return token_of(example.provenance) or uuid5(_ROWS_NAMESPACE, str(example.pk))


def with_vault_entry(row: ExampleRow, example: Example) -> ExampleRow:
    """The row made from an example, with the id of the vault entry by which its texts were masked."""
    return replace(row, provenance={**row.provenance, ENTRY: str(token_of_example(example))})


@transaction.atomic
def look_up(*, example: Example, by: User) -> Originals:
    """The originals of the placeholders in the row and in answers to it; the audit log records the user.
    Raises InvalidError as `originals_of` does.
    """
    project = example.version.dataset.project
    originals = originals_of(project, token_of_example(example)) | originals_of(
        project, uuid5(_ROWS_NAMESPACE, str(example.pk))
    )
    record(
        "dataset.row_unmasked",
        by=by,
        obj=example.version,
        project=project,
        data={"row_number": example.row_number, "placeholders": sorted(originals)},
    )
    return originals


def originals_of(project: Project, token: UUID) -> Originals:
    """The originals of the placeholders; empty where they were erased. Raises InvalidError where the
    installation's secret key has changed since they were masked.
    """
    entry = VaultEntry.objects.filter(project=project, token=token).first()
    return {} if entry is None else opened_originals(entry)


def opened_originals(entry: VaultEntry) -> Originals:
    """As `originals_of`."""
    try:
        text = opened(_PURPOSE, entry.project_id, entry.sealed, name="vault")
    except OtherSecretKeyError as error:
        raise InvalidError(
            "The originals of this row were encrypted under another secret key of this installation"
            " (EVALAPP_SECRET_KEY). Start it with that key to read them."
        ) from error
    originals: Originals = json.loads(text)
    return originals


def sealed_originals(project_id: int, originals: Originals) -> str:
    """The originals, encrypted as a vault entry of the project stores them."""
    return sealed(_PURPOSE, project_id, json.dumps(originals, ensure_ascii=False))


def with_originals(project: Project, examples: Iterable[Example]) -> Iterator[dict[str, Any]]:
    """The examples as objects (`formats.example_as_object`), with their placeholders replaced by the
    originals.
    """
    examples = iter(examples)
    while batch := list(islice(examples, _AT_ONCE)):
        tokens = [token for each in batch if (token := token_of(each.provenance))]
        entries = VaultEntry.objects.filter(project=project, token__in=tokens).in_bulk()
        for example in batch:
            entry = entries.get(token_of(example.provenance))
            originals = {} if entry is None else opened_originals(entry)
            yield _unmasked(dict(example_as_object(example)), originals)


def _unmasked(value: Any, originals: Mapping[str, Sequence[str]]) -> Any:
    def change(text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: next(iter(originals.get(match[0], ())), match[0]), text)

    return with_every_text(value, change) if originals else value
