"""Detects outputs that decline to answer."""

import re

from evalapp.measure import Measure, signature
from evalapp.metrics.metric import EachRow, Metric

_REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:sorry|afraid|unable)|i (?:can(?:not|['’]t)|could not|won['’]t|am not able to)"
    r"|as an? (?:ai|artificial|large) ?(?:language|intelligence)? ?(?:model|assistant)?)\b"
    r"(?=[^.!?]{0,80}\b(?:assist|help|answer|provide|fulfil|comply|continue|do that|give|offer"
    r"|have (?:personal|access)|ai|model|language)\b)",
    re.IGNORECASE,
)
_REFUSAL_ELSEWHERE = re.compile(
    r"\b(?:(?:es )?tut mir leid|leider kann ich|als ki\b|als (?:künstliche|großes) "
    r"|ich kann (?:ihnen |dir )?(?:dabei |das |hier)|je suis désolée?|je ne (?:peux|suis) pas|en tant qu['’]"
    r"|lo siento|mi dispiace|het spijt me)"
    r"[^.!?]{0,80}\b(?:helfen|beantworten|weiterhelfen|zugriff|antworten|modell|sprachmodell|répondre|aider"
    r"|modèle|ayudar|responder|aiutare|rispondere|helpen)\b",
    re.IGNORECASE,
)
# Every refusal in plain ASCII has one of these; searching for them takes a tenth of the time of the patterns.
_REFUSAL_PARTS = ("i'm ", "i am ", "i can", "i could not", "i won't", "as an ", "as a ")
_REFUSAL_ELSEWHERE_PARTS = (
    "tut mir leid", "leider kann ich", "als ", "ich kann ", "je suis", "je ne ", "en tant qu",
    "lo siento", "mi dispiace", "het spijt me",
)  # fmt: skip
_REFUSAL_WITHIN = 200
_LONGEST_REFUSAL = 600


def is_refusal(answer: str) -> bool:
    """Whether a short answer begins with a refusal."""
    if len(answer) > _LONGEST_REFUSAL:
        return False
    start = answer[:_REFUSAL_WITHIN]
    lowered = start.lower() if start.isascii() else None
    return any(
        (lowered is None or any(part in lowered for part in parts)) and pattern.search(start) is not None
        for pattern, parts in ((_REFUSAL, _REFUSAL_PARTS), (_REFUSAL_ELSEWHERE, _REFUSAL_ELSEWHERE_PARTS))
    )


def refusal(output: str) -> Measure:
    """1 for a refusal, else 0."""
    return Measure(value=float(is_refusal(output)), n=1, signature=signature("refusal", version=1))


METRICS = [
    Metric(
        name="refusal", label="Refusal", better="lower", largest=1, needs="nothing", anchor="refusal",
        is_count=True, engine=EachRow(lambda row, _: refusal(row.output)), order=45, is_scored=False,
        is_compared=False,
    ),
]  # fmt: skip
