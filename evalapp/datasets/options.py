"""What a person chooses for an import."""

from dataclasses import dataclass

from evalapp.core.errors import InvalidError
from evalapp.datasets.columns import COLUMNS, ColumnRole
from evalapp.datasets.formats import Layout
from evalapp.datasets.splits import DEFAULT_SEED, ByField, ByShares, SplitRule
from evalapp.imports.files import CSV, JSONL
from evalapp.imports.mapping import FileLayout
from evalapp.imports.source_rows import DELIMITERS

LONGEST_FIELD_NAME = 80
LONGEST_NOTE = 2_000


@dataclass(frozen=True)
class ImportOptions(FileLayout):
    """What the person chose for a file; kept as JSON in ``DatasetImport.options``.

    ``shares`` None: the split is read from ``split_field``. ``mapping`` is column → use: of CSV
    always, of JSON where its fields have names of the team's own.
    """

    file_format: str = JSONL
    split_field: str = "split"
    shares: dict[str, float] | None = None
    seed: int = DEFAULT_SEED
    group_field: str = "group"
    skips_invalid: bool = False
    note: str = ""

    @property
    def layout(self) -> Layout:
        """The reader's settings."""
        rule: SplitRule = (
            ByField(self.split_field) if self.shares is None else ByShares(self.shares, self.seed)
        )
        return Layout(rule, self.group_field)

    def check(self) -> None:
        """Raises InvalidError naming each field that cannot be used."""
        fields: dict[str, list[str]] = {}
        if self.file_format not in (CSV, JSONL):
            fields["file_format"] = ["Use jsonl or csv."]
        if self.file_format == CSV and self.delimiter not in DELIMITERS:
            fields["delimiter"] = ["Choose comma, semicolon, tab or bar."]
        if self.file_format == CSV or self.mapping:
            fields |= self._mapping_problems()
        for name in ("split_field", "group_field"):
            if not 0 < len(getattr(self, name)) <= LONGEST_FIELD_NAME:
                fields[name] = [f"A field's name has 1 to {LONGEST_FIELD_NAME} characters."]
        if self.shares is not None:
            try:
                ByShares(self.shares, self.seed)
            except (ValueError, TypeError) as error:
                fields["shares"] = [str(error)]
        if len(self.note) > LONGEST_NOTE or "\x00" in self.note:
            fields["note"] = [f"A note has at most {LONGEST_NOTE:,} characters, none of them NUL."]
        if fields:
            first = next(iter(fields.values()))[0]
            raise InvalidError(first, fields=fields)

    def _mapping_problems(self) -> dict[str, list[str]]:
        fields: dict[str, list[str]] = {}
        if problem := COLUMNS.problem(self.mapping):
            fields["mapping"] = [problem]
        if self.shares is None and ColumnRole.SPLIT not in self.mapping.values():
            fields["split_by"] = ["Choose the column with the split, or split by shares."]
        if self.shares is not None and ColumnRole.SPLIT in self.mapping.values():
            message = (
                "A column is mapped to the split although the rows are split by shares: choose the split"
                " from each row, or another use for the column."
            )
            fields["split_by"] = [message]
        return fields
