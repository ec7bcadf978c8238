"""One question to a judge's endpoint."""

from evalapp.core.completions import Completion, complete
from evalapp.llm_judges.models import LLMJudge

LONGEST_REPLY_TOKENS = 500


def ask(judge: LLMJudge, question: str, *, secret: str) -> Completion:
    """Ask once. Raises CompletionError, OutgoingRefusedError where the endpoint may not be reached."""
    body = {
        "model": judge.model,
        "temperature": judge.temperature,
        "max_tokens": LONGEST_REPLY_TOKENS,
        "messages": [{"role": "user", "content": question}],
    }
    return complete(judge.url, body, secret=secret)
