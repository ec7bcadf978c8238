"""A judge's API key, sealed for this judge."""

from evalapp.core.sealing import opened, sealed
from evalapp.llm_judges.models import LLMJudge

_PURPOSE = "evalapp.llm_judges.key"


def seal(judge: LLMJudge, secret: str) -> str:
    """The key as it is stored with this judge, and opens with this judge alone; "" stays ""."""
    return sealed(_PURPOSE, judge.key, secret)


def opened_key(judge: LLMJudge) -> str:
    """Raises InvalidError where the installation's secret key is another one than when it was saved."""
    return opened(_PURPOSE, judge.key, judge.sealed_key, name=judge.name)
