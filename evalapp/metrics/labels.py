"""Reads the predicted label from an output with a declared parser; without one, it is unparsed, never
guessed.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from evalapp.metrics.rows import well_formed
from evalapp.metrics.rules import RuleError, compiled_pattern

KINDS = {
    "exact": "The whole answer",
    "first_line": "The first line that is not empty",
    "pattern": "The match of a regular expression",
    "json_field": "A field of a JSON object",
}
MOST_LABELS = 100
LONGEST_LABEL = 200
# A longer JSON text is more than a label.
LONGEST_JSON = 200_000


class LabelError(ValueError):
    """A parser definition is invalid; ``field`` names the part that is wrong."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class LabelParser:
    """Reads one of ``labels`` from an output.

    ``pattern`` (RE2 syntax) is for the kind "pattern": its first group, or else the whole match, is the
    label. ``field`` is for "json_field". ``ignore_case`` ignores upper and lower case. Raises LabelError.
    """

    def __init__(
        self,
        kind: str,
        labels: Sequence[str],
        *,
        pattern: str = "",
        field: str = "",
        ignore_case: bool = True,
    ) -> None:
        if kind not in KINDS:
            raise LabelError(f"There is no parser “{kind}”. Known: {', '.join(KINDS)}.", "kind")
        self._kind, self._field, self._ignore_case = kind, field, ignore_case
        self._labels = self._by_folded(labels)
        self._pattern = self._compiled(pattern) if kind == "pattern" else None
        if kind == "json_field" and not field.strip():
            raise LabelError("Give the field of the JSON object with the label.", "field")

    def _by_folded(self, labels: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for label in labels:
            folded = self.folded(label)
            if not folded or len(label) > LONGEST_LABEL:
                raise LabelError(
                    f"A label has 1 to {LONGEST_LABEL} characters; “{label[:40]}” does not fit.", "labels"
                )
            if found.setdefault(folded, label) != label:
                raise LabelError(
                    f"“{found[folded]}” and “{label}” count as the same label. Keep one.", "labels"
                )
        if len(found) > MOST_LABELS:
            raise LabelError(f"There are {len(found):,} labels; {MOST_LABELS} is the limit.", "labels")
        return found

    def _compiled(self, pattern: str) -> Any:
        if not pattern:
            raise LabelError("Write the pattern that finds the label.", "pattern")
        try:
            return compiled_pattern(pattern, ignore_case=self._ignore_case)
        except RuleError as error:
            raise LabelError(f"{str(error)[:1].upper()}{str(error)[1:]}.", "pattern") from error

    def folded(self, text: str) -> str:
        """The text normalised for comparison: single spaces, and case-folded if case is ignored."""
        text = " ".join(text.split())
        return text.casefold() if self._ignore_case else text

    def known(self, label: str) -> str | None:
        """The label of the set that equals ``label`` after normalisation, or None."""
        return self._labels.get(self.folded(label))

    def parse(self, output: str) -> str | None:
        """The predicted label, or None if the output has no label of the set."""
        found = self._found(well_formed(output))
        return None if found is None else self.known(found)

    def _found(self, output: str) -> str | None:
        if self._kind == "exact":
            return output
        if self._kind == "first_line":
            return next((line for line in output.splitlines() if line.strip()), None)
        if self._pattern is not None:
            match = self._pattern.search(output)
            if match is None:
                return None
            group = match.group(1) if self._pattern.groups else match.group(0)
            return None if group is None else str(group)
        return _json_field(output, self._field)


def _json_field(output: str, field: str) -> str | None:
    if len(output) > LONGEST_JSON:
        return None
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        return None
    found = value.get(field) if isinstance(value, dict) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int) else None
