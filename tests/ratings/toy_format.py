"""A format of ratings as somebody adds it: a question a line, its answers, and the stars that people gave
them.
"""

from collections.abc import Mapping
from typing import Any

from evalapp.imports.mapping import FileLayout
from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import Source
from evalapp.ratings.formats import FORMATS
from evalapp.ratings.formats.base import RatingsFormat
from evalapp.ratings.records import ParsedRow, Record, RecordProblemError, Refusal, Texts, example_of, name_of


class Stars(RatingsFormat):
    name = "stars"
    label = "Stars, a question a line"
    example = '{"ask": "What is due?", "said": {"base": "The form."}, "stars": {"Mara": {"base": 4}}}'
    advice = "Press Export in the star counter."

    def suits(self, source: Source, first: Mapping[str, Any]) -> bool:
        return isinstance(first.get("stars"), dict) and isinstance(first.get("said"), dict)

    def reading(self, row: int, fields: dict[str, Any], layout: FileLayout) -> ParsedRow:
        item = name_of(fields.get("id", row), "id", what="item")
        example, problems = example_of(row, {"prompt": fields.get("ask"), "metadata": {"item": item}})
        if problems:
            raise RecordProblemError(*problems)
        records = []
        refusals = []
        for person, given in fields["stars"].items():
            for candidate, stars in given.items():
                record = Record(row, item, candidate, person, [("Stars", stars)])
                if candidate in fields["said"]:
                    records.append(record)
                else:
                    problem = FieldProblem(
                        f"stars.{person}", f"“{candidate}” said nothing.", "Add its answer."
                    )
                    refusals.append(Refusal([problem], record))
        return ParsedRow(row, Texts(row, item, example, fields["said"]), records, refusals)


WITH_IT = (Stars(), *FORMATS)
