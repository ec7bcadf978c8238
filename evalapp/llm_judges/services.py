"""Writes of LLM judges: definition, key and scoring."""

import math

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.names import checked_name
from evalapp.core.outgoing import checked_url
from evalapp.core.sealing import checked_key
from evalapp.core.uniqueness import unless_taken
from evalapp.jobs.models import ACTIVE_STATES, Job, JobState
from evalapp.jobs.services import create_job
from evalapp.llm_judges.models import LLMJudge, LLMScore, LLMScoreState
from evalapp.llm_judges.queries import campaigns_of
from evalapp.llm_judges.questions import default_prompt, prompt_problem
from evalapp.llm_judges.sealing import opened_key, seal
from evalapp.rubrics.models import Criterion

JUDGE_TASK = "evalapp.llm_judges.tasks.ask_judge"
MOST_JUDGES = 50
LONGEST_MODEL = 200
LONGEST_VERSION = 100


@transaction.atomic
def create_judge(
    *,
    project: Project,
    criterion: Criterion,
    name: str,
    url: str,
    model: str,
    by: User | None,
    model_version: str = "",
    temperature: float = 0.0,
    prompt: str = "",
    secret: str = "",
) -> LLMJudge:
    """Create a judge, without asking it; the default ``prompt`` is the criterion's text.

    Raises InvalidError with the invalid field, OutgoingRefusedError for an endpoint that may not be reached,
    ConflictError for a name already in use.
    """
    name = checked_name(name, of="the judge", longest=60)
    url = checked_url(url)
    if not criterion.is_rated:
        raise InvalidError("An LLM judge gives a level; this criterion has none.", field="criterion")
    model, model_version = _checked_model(model, model_version)
    if not math.isfinite(temperature) or not 0 <= temperature <= 2:
        raise InvalidError("The temperature is between 0 and 2.", field="temperature")
    prompt = prompt.replace("\r\n", "\n") or default_prompt(criterion)
    if problem := prompt_problem(prompt):
        raise InvalidError(problem, field="prompt")
    secret = checked_key(secret)
    Project.objects.select_for_update().get(pk=project.pk)
    if project.llm_judges.count() >= MOST_JUDGES:
        raise ConflictError(f"This project has {MOST_JUDGES} judges. Delete one first.")
    judge = LLMJudge(
        project=project,
        criterion=criterion,
        name=name,
        url=url,
        model=model,
        model_version=model_version,
        temperature=temperature,
        prompt=prompt,
        created_by=by,
    )
    judge.sealed_key = seal(judge, secret)
    with unless_taken(f"This project has a judge named “{name}” already. Choose another name.", field="name"):
        judge.save()
    record(
        "llm_judge.created",
        by=by,
        obj=judge,
        project=project,
        data={"url": judge.origin, "model": model, "has_key": bool(secret)},
    )
    return judge


def _checked_model(model: str, version: str) -> tuple[str, str]:
    model, version = model.strip(), version.strip()
    for field, text, longest in (
        ("model", model, LONGEST_MODEL),
        ("model_version", version, LONGEST_VERSION),
    ):
        if len(text) > longest or not text.isprintable():
            raise InvalidError(f"At most {longest} visible characters.", field=field)
    if not model:
        raise InvalidError("Give the endpoint's name for the model.", field="model")
    return model, version


@transaction.atomic
def replace_key(*, judge: LLMJudge, secret: str, by: User) -> None:
    """Use another API key from now on; an empty one means none."""
    sealed = seal(judge, checked_key(secret))
    if not LLMJudge.objects.filter(pk=judge.pk).update(sealed_key=sealed):
        raise MissingError(f"“{judge.name}” has been deleted.")
    record("llm_judge.key_replaced", by=by, obj=judge, project=judge.project, data={"has_key": bool(sealed)})


@transaction.atomic
def delete_judge(*, judge: LLMJudge, by: User) -> None:
    """Delete a judge with its scores. Raises ConflictError while it is scoring."""
    if active_job_of(judge) is not None:
        raise ConflictError(f"“{judge.name}” is scoring now. Cancel that job first.")
    record(
        "llm_judge.deleted",
        by=by,
        obj=judge,
        project=judge.project,
        data={"scores": judge.scores.count()},
    )
    judge.delete()


def active_job_of(judge: LLMJudge) -> Job | None:
    """The judge's queued or running job, if any."""
    return judge.project.jobs.filter(
        task=JUDGE_TASK, params__judge=judge.pk, state__in=[JobState.QUEUED, *ACTIVE_STATES]
    ).first()


@transaction.atomic
def start_judging(*, judge: LLMJudge, campaign: Campaign, by: User | None) -> Job:
    """Score every output of a campaign that the judge has not scored yet.

    A job queued or running for this campaign is returned instead. Raises InvalidError for a campaign of
    another rubric version or one that compares outputs, ConflictError while the judge scores another
    campaign.
    """
    if not campaigns_of(judge).filter(pk=campaign.pk).exists():
        raise InvalidError(
            "This campaign has not been opened to rate answers by the judge's criterion.", field="campaign"
        )
    checked_url(judge.url)
    opened_key(judge)
    LLMJudge.objects.select_for_update().get(pk=judge.pk)
    going = active_job_of(judge)
    if going is not None:
        if going.params["campaign"] == campaign.pk:
            return going
        raise ConflictError(f"“{judge.name}” is scoring another campaign. Wait for it, or cancel it.")
    return create_job(
        project=judge.project,
        task=JUDGE_TASK,
        title=f"LLM judge {judge.name}: score {campaign.name}",
        by=by,
        params={"judge": judge.pk, "campaign": campaign.pk},
    )


@transaction.atomic
def ask_again(*, judge: LLMJudge, campaign: Campaign, by: User, output_id: int | None = None) -> Job:
    """Repeat failed or unparsed scores, of one output or of all.

    Raises ConflictError if there are none.
    """
    again = LLMScore.objects.filter(
        judge=judge,
        output__item_outputs__item__campaign=campaign,
        state__in=[LLMScoreState.FAILED, LLMScoreState.UNPARSED],
    )
    if output_id is not None:
        again = again.filter(output=output_id)
    found = list(again.values_list("pk", flat=True))
    if not found:
        raise ConflictError("No output has failed or is unparsed, so there is nothing to score again.")
    LLMScore.objects.filter(pk__in=found).delete()
    record(
        "llm_judge.asked_again",
        by=by,
        obj=judge,
        project=judge.project,
        data={"campaign": campaign.pk, "outputs": len(found)},
    )
    return start_judging(judge=judge, campaign=campaign, by=by)
