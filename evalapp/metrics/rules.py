"""Rule checks a project defines in the browser."""
from collections.abc import Mapping
from dataclasses import dataclass
from evalapp.metrics.rows import Row, Span

class RuleError(ValueError):
    """A rule's definition cannot be used; the message says what is wrong and how to mend it."""

@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """passed is None when the rule could not be judged; then reason says why."""
    passed: bool | None
    reason: str = ""
    spans: tuple[Span, ...] = ()

class Rule:
    """Contains | MustNotContain | MatchesPattern | LengthRange | MentionsField | NoInventedFigures."""
    kind: str
    def check(self, row: Row) -> Verdict:
        raise NotImplementedError
    def as_dict(self) -> dict[str, object]:
        raise NotImplementedError

def rule_from_dict(definition: Mapping[str, object]) -> Rule:
    """Read {"kind": ..., ...} as stored or sent; raises RuleError."""
    raise NotImplementedError
