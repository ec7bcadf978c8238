from collections.abc import Iterator

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.jobs.models import Job
from evalapp.llm_judges import judging
from evalapp.llm_judges.models import LLMJudge
from evalapp.llm_judges.services import create_judge, start_judging
from evalapp.llm_judges.tasks import ask_judge
from tests.factories import make_campaign
from tests.llm_judges.chat import Chat, chatting

SECRET = "sk-nobody-may-see-this"


@pytest.fixture(autouse=True)
def _loopback(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The double stands on loopback, and nobody waits between tries."""
    settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)  # type: ignore[attr-defined]
    monkeypatch.setattr(judging, "PAUSES", (0.0, 0.0))


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting() as running:
        yield running


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer], rows=6)


@pytest.fixture
def judge(project: Project, campaign: Campaign, chat: Chat, manager: User) -> LLMJudge:
    return create_judge(
        project=project,
        criterion=campaign.rubric_version.criteria.get(key="tone"),
        name="Tone judge",
        url=chat.url,
        model="judge-1",
        model_version="2026-07-11",
        temperature=0.5,
        secret=SECRET,
        by=manager,
    )


def asked(judge: LLMJudge, campaign: Campaign) -> Job:
    job = start_judging(judge=judge, campaign=campaign, by=None)
    ask_judge(job.pk)
    job.refresh_from_db()
    return job
