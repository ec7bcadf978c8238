"""The job that asks a judge about a campaign's outputs, one by one."""

from typing import Any

from django.db import transaction

from evalapp.campaigns.models import Purpose
from evalapp.core.completions import Completion, CompletionError, complete
from evalapp.core.errors import InvalidError
from evalapp.jobs.work import Work
from evalapp.llm_judges.models import LLMJudge, LLMScore, LLMScoreState
from evalapp.llm_judges.questions import filled, parsed
from evalapp.llm_judges.sealing import opened_key
from evalapp.runs.models import Output

PAUSES = (1.0, 4.0)
"""Seconds before the second and the third try of one question."""
MOST_FAILURES_IN_ROW = 5
_LONGEST_REPLY_TOKENS = 500
_KEPT_ANSWER = 2_000


def ask_about_campaign(work: Work) -> dict[str, Any]:
    """Each output that has no score yet; every score is stored at once, so a second attempt goes on.

    Ends with an error where the endpoint refuses the key, or after five questions in a row without a reply.
    """
    judge = LLMJudge.objects.select_related("criterion", "project").get(pk=work.job.params["judge"])
    outputs = Output.objects.filter(
        item_outputs__item__campaign=work.job.params["campaign"],
        item_outputs__item__purpose=Purpose.REVIEW,
    ).distinct()
    total = outputs.count()
    waiting = outputs.exclude(llm_scores__judge=judge).select_related("example").order_by("pk")
    ids = list(waiting.values_list("pk", flat=True))
    secret = opened_key(judge)
    done, failures = total - len(ids), 0
    work.progress(done, total, "Scoring")
    for pk in ids:
        output = Output.objects.select_related("example").get(pk=pk)
        llm_score = _llm_score(work, judge, output, secret)
        _store(work, llm_score)
        failures = failures + 1 if llm_score.state == LLMScoreState.FAILED else 0
        if failures >= MOST_FAILURES_IN_ROW:
            raise InvalidError(
                f"{failures} questions in a row got no reply; the last: {llm_score.problem} Fix that, then"
                " try again: earlier scores are kept."
            )
        done += 1
        work.progress(done, total)
    return {"outputs": total, "asked": len(ids)}


def _store(work: Work, llm_score: LLMScore) -> None:
    with transaction.atomic():
        LLMScore.objects.bulk_create(
            [llm_score],
            update_conflicts=True,
            unique_fields=["judge", "output"],
            update_fields=["state", "value", "answer", "problem", "reported_model", "asked_at"],
        )
        work.fence()


def _llm_score(work: Work, judge: LLMJudge, output: Output, secret: str) -> LLMScore:
    """Asks up to three times. Raises InvalidError where no further question can fare better."""
    example = output.example
    question = filled(
        judge.prompt,
        {
            "prompt": "\n\n".join(str(message["content"]) for message in example.messages),
            "context": example.context,
            "reference": "\n\n".join(str(reference) for reference in example.references),
            "answer": output.text,
        },
    )
    body = {
        "model": judge.model,
        "temperature": judge.temperature,
        "max_tokens": _LONGEST_REPLY_TOKENS,
        "messages": [{"role": "user", "content": question}],
    }
    problem = ""
    for pause in (0.0, *PAUSES):
        work.rest(pause)
        try:
            return _of_reply(judge, output, complete(judge.url, body, secret=secret))
        except CompletionError as error:
            problem = str(error)
            if error.is_final:
                raise InvalidError(problem) from error
    work.log(f"Output {output.pk}: {problem}", level="warning")
    return LLMScore(judge=judge, output=output, state=LLMScoreState.FAILED, problem=problem[:300])


def _of_reply(judge: LLMJudge, output: Output, reply: Completion) -> LLMScore:
    answer = parsed(reply.text, judge.criterion)
    state = LLMScoreState.UNPARSED
    if answer is not None:
        state = LLMScoreState.NOT_APPLICABLE if answer.value is None else LLMScoreState.ANSWERED
    return LLMScore(
        judge=judge,
        output=output,
        state=state,
        value=answer.value if answer is not None else None,
        answer=reply.text[:_KEPT_ANSWER],
        reported_model=reply.model,
    )
