"""What a person chooses for an import of ratings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.imports.mapping import FileLayout
from evalapp.ratings.formats import layout_problems
from evalapp.rubrics import kinds
from evalapp.rubrics.kinds.scale import Scale

LEFT_OUT = "-"
MAKE, RECORD, REFUSE = "make", "record", "refuse"
BY_ROW, BY_PROMPT, BY_FIELD = "row", "prompt", "field"
SCALE_ENDS = ("minimum", "maximum", "steps_per_point")


@dataclass(frozen=True)
class RatingsOptions(FileLayout):
    """The choices for one file; kept as JSON in ``RatingsImport.options``.

    ``rubric_version`` None: a rubric is made from the file. ``criteria``: criterion of the file → {"use":
    key of the rubric's criterion, "" for the one of that name, or "-" to leave it out; "kind", "minimum",
    "maximum", "steps_per_point", "lower_is_better": for a rubric made from the file, instead of what its
    values suggest}. ``candidates``: name → id of a model version; ``reviewers``: e-mail or name → id of a
    member, 0 for a recorded reviewer. Who is not named there is found by label, e-mail address or name; else
    as ``unknown_…`` says; ``names_are_positions``: a name is a place, such as rater 1, that different people
    filled. ``dataset_version`` None: the texts are in the file; else items are its rows, found ``items_by``
    row number, prompt, or the metadata field ``item_field``. ``reference_candidate``: the name in the file
    whose answers are the references of items without one; it stays a candidate.
    """

    name: str = ""
    rubric_version: int | None = None
    criteria: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    candidates: Mapping[str, int] = field(default_factory=dict)
    reviewers: Mapping[str, int] = field(default_factory=dict)
    unknown_candidates: str = MAKE
    unknown_reviewers: str = RECORD
    dataset_version: int | None = None
    items_by: str = BY_ROW
    item_field: str = "item"
    is_blind: bool = False
    names_are_positions: bool = False
    skips_invalid: bool = False
    reference_candidate: str = ""

    @property
    def layout_json(self) -> dict[str, Any]:
        """How the file is read; a census made by another layout says nothing about this one."""
        mapping = [list(pair) for pair in self.mapping.items()]
        return {"file_format": self.file_format, "delimiter": self.delimiter, "mapping": mapping}

    def check(self) -> None:
        """Raises InvalidError naming each field that cannot be used, whatever the file holds."""
        fields = layout_problems(self)
        try:
            checked_name(self.name, of="the campaign")
        except InvalidError as error:
            fields["name"] = [error.message]
        for name, allowed in (
            ("unknown_candidates", (MAKE, REFUSE)),
            ("unknown_reviewers", (RECORD, REFUSE)),
            ("items_by", (BY_ROW, BY_PROMPT, BY_FIELD)),
        ):
            if getattr(self, name) not in allowed:
                fields[name] = [f"Use {' or '.join(allowed)}."]
        if not 0 < len(self.item_field) <= 200 or "\x00" in self.item_field:
            fields["item_field"] = ["A field's name has 1 to 200 characters."]
        for criterion, chosen in self.criteria.items():
            kind = chosen.get("kind", Scale.name)
            whole = all(
                isinstance(chosen.get(bound, 0), int) and abs(chosen.get(bound, 0)) <= 10_000
                for bound in SCALE_ENDS
            )
            if not isinstance(chosen.get("use", ""), str):
                fields.setdefault("criteria", []).append(
                    f"“{criterion[:60]}”: “use” is not the key of a criterion."
                )
            elif not isinstance(chosen.get("lower_is_better", False), bool):
                message = f"“{criterion[:60]}”: “lower_is_better” is true or false."
                fields.setdefault("criteria", []).append(message)
            elif kind not in [each.name for each in kinds.KINDS if each.reads_values] or not whole:
                without_options = [
                    each.name for each in kinds.KINDS if each.reads_values and not each.has_options
                ]
                message = f"“{criterion[:60]}”: use one of {', '.join(without_options)}, with whole bounds."
                fields.setdefault("criteria", []).append(message)
        if fields:
            raise InvalidError(next(iter(fields.values()))[0], fields=fields)
