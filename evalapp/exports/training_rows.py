"""The training rows that an export makes: answers to learn, and preferences among answers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from evalapp.conversations.text import with_answer
from evalapp.core.names import has_visible
from evalapp.datasets.models import Example, Split
from evalapp.datasets.rows import ExampleRow
from evalapp.exports.files import answer_text, provenance
from evalapp.exports.models import Export, ExportRow


def training_rows(
    export: Export, answers: Sequence[ExportRow], pairs: Sequence[ExportRow], rated: Sequence[ExportRow]
) -> Iterator[ExampleRow]:
    """A row for each accepted answer; the preferences about its prompt stand in the prompt's first row.

    A prompt with preferences but no accepted answer has a row without a reference.
    """
    preferences: dict[int, _Preferences] = defaultdict(_Preferences)
    for row in pairs:
        preferences[row.example_id].add_pair(row)
    for row in rated:
        preferences[row.example_id].add_rated(row)
    for row in answers:
        found = preferences.pop(row.example_id, _Preferences())
        yield found.row(row.example, export, first=row)
    for found in preferences.values():
        yield found.row(found.example, export)


class _Preferences:
    """What reviewers preferred among the answers to one prompt."""

    example: Example

    def __init__(self) -> None:
        self.pairs: list[dict[str, str]] = []
        self.rated: list[dict[str, Any]] = []
        self.rows: list[ExportRow] = []

    def add_pair(self, row: ExportRow) -> None:
        self.example = row.example
        self.rows.append(row)
        rejected = row.rejected_output.text if row.rejected_output is not None else ""
        # An answer without words, or one that was edited into the other, prefers nothing.
        if has_visible(rejected) and rejected.strip() != answer_text(row).strip():
            self.pairs.append({"chosen": answer_text(row), "rejected": rejected})

    def add_rated(self, row: ExportRow) -> None:
        self.example = row.example
        self.rows.append(row)
        self.rated.append({"answer": row.chosen_text, "good": row.is_good})

    def row(self, example: Example, export: Export, first: ExportRow | None = None) -> ExampleRow:
        rows = [*([first] if first is not None else []), *self.rows]
        made_from = provenance(rows[0])
        answer = answer_text(first) if first is not None else None
        conversation = example.conversation
        return ExampleRow(
            split=Split.TRAIN,
            messages=example.messages,
            references=[] if answer is None else [answer],
            label=example.label,
            context=example.context,
            metadata=example.metadata,
            group_key=example.group_key,
            provenance={**made_from, "export_rows": [row.pk for row in rows]},
            pairs=self.pairs,
            rated=self.rated,
            conversation=None if conversation is None else with_answer(conversation, answer),
        )
