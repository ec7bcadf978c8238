"""A release gate's verdict, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RELEASE = "release"


@dataclass(frozen=True)
class ConditionResult:
    """Result of one condition; ``state`` is “met”, “not_met” or “undecided”."""

    words: str
    state: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """A release gate's verdict on a candidate.

    ``verdict`` is “release”, “do_not_release” or “not_yet”; empty if the campaign has no gate or the gate was
    never evaluated. ``reason`` says why it is “not_yet” regardless of the numbers. ``more_reviews`` is the
    number of reviews that would decide the open conditions, None if unknown. ``evaluation`` and ``version``
    are the ids of the recorded evaluation and of the candidate's model version, None if there is none.
    """

    campaign: int
    verdict: str
    candidate: str
    reason: str
    more_reviews: int | None
    results: list[ConditionResult]
    evaluation: int | None = None
    version: int | None = None

    @property
    def is_release(self) -> bool:
        return self.verdict == RELEASE

    @property
    def explanation(self) -> str:
        """The verdict and its reasons, one per line."""
        name = self.candidate or f"campaign {self.campaign}"
        lines = [f"{name}: {self.verdict.replace('_', ' ') or 'no verdict'}"]
        if not self.verdict:
            lines.append("The campaign has no gate, or its gate has not been evaluated.")
        if self.reason:
            lines.append(self.reason)
        lines += [
            f"  {each.state.replace('_', ' '):9}  {each.words}. {each.reason}".rstrip()
            for each in self.results
        ]
        if self.more_reviews:
            lines.append(f"About {self.more_reviews:,} more reviews would decide the open conditions.")
        return "\n".join(lines)


def verdict_of(campaign: int, candidate: str, answer: Mapping[str, Any]) -> Verdict:
    """The verdict in ``answer``, the API's response about a campaign's gate."""
    evaluation = answer.get("evaluation") or {}
    return Verdict(
        campaign=campaign,
        verdict=str(answer.get("verdict") or ""),
        candidate=str(evaluation.get("label") or candidate),
        reason=str(answer.get("reason") or ""),
        more_reviews=answer.get("more_reviews"),
        results=[
            ConditionResult(str(each["words"]), str(each["state"]), str(each["reason"]))
            for each in evaluation.get("results", ())
        ],
        evaluation=evaluation.get("id"),
        version=evaluation.get("candidate"),
    )
