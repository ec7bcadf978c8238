"""Rows that hold personal data. Pure."""

from collections.abc import Iterator

from evalapp.curation.health.rows import Fetch, Found, HealthRow
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.privacy.personal_data import personal_spans
from evalapp.privacy.rules import MaskingRules
from evalapp.privacy.spans import type_label


class PersonalDataDetector:
    """Finds rows that hold personal data, in any of their texts. Keeps the findings alone."""

    def __init__(self, rules: MaskingRules | None = None) -> None:
        self._rules = rules
        self._found: list[Found] = []

    def read(self, row: HealthRow) -> None:
        spans = [
            {"field": name, "start": span.start, "end": span.end, "type": span.type}
            for name, text in row.texts.items()
            for span in personal_spans(text, self._rules)
        ]
        if spans:
            types = list(dict.fromkeys(type_label(str(span["type"])) for span in spans))
            named = ", ".join(types)
            evidence = f"{named[0].upper()}{named[1:]}."
            self._found.append(
                Found(FindingKind.PERSONAL_DATA, row.number, evidence, Proposal.MASK, spans=spans)
            )

    def found(self, fetch: Fetch) -> Iterator[Found]:
        yield from self._found
