"""The demonstration's story: every step starts real work and waits for its job.

A periodic task advances each unfinished track when the current step's job has succeeded. A killed worker or a
restart does no harm, because position and job are stored in the database.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign, create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.demo import training_settings
from evalapp.demo.models import Demonstration, Track
from evalapp.demo.recording import restore_first_run, restore_second_run
from evalapp.demo.release_gate import ask_release_gate, take_release_gate
from evalapp.demo.stage_set import email_of, first_data, rubric_version, simulated_users
from evalapp.exports.models import Export
from evalapp.exports.services import propose_rows, start_export
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.services import register_base, register_prompt
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation, start_training
from evalapp.scoring.services import scoring_of, start_scoring

REVIEW_TASK = "evalapp.demo.tasks.simulate_reviews"
ACCEPT_TASK = "evalapp.demo.tasks.decide_corrections"
PRODUCTION_TASK = "evalapp.demo.tasks.replay_weeks"


class Step(NamedTuple):
    """A step of the story. ``start`` begins it and returns the job to wait for, or None if it is done at
    once; ``made`` is the key in ``objects_made`` of the object that the step's link leads to.
    """

    title: str
    start: Callable[[Demonstration], Job | None]
    made: str = ""


def person(name: str) -> User:
    return User.objects.get(email=email_of(name))


def _remember(demonstration: Demonstration, **made: int) -> None:
    demonstration.objects_made = {**demonstration.objects_made, **made}


def _model(demonstration: Demonstration, name: str) -> ModelVersion:
    return ModelVersion.objects.get(pk=demonstration.objects_made[name])


def _run(demonstration: Demonstration, name: str) -> Run:
    return Run.objects.select_related("job", "produced").get(pk=demonstration.objects_made[name])


def label(demonstration: Demonstration, name: str) -> str:
    """An object's name; recorded ones say so in the name, too."""
    return f"{name} (recorded)" if demonstration.track == Track.RECORDED else name


def register_models(demonstration: Demonstration) -> None:
    project, engineer = demonstration.project, person("engineer")
    base = ModelVersion.objects.filter(project=project, kind=ModelKind.BASE, is_recorded=False).first()
    if base is None:
        base = register_base(
            project=project,
            name=training_settings.BASE_NAME,
            folder=training_settings.base_folder(),
            label="Base",
            by=engineer,
        )
    prompt = ModelVersion.objects.filter(project=project, kind=ModelKind.PROMPT, is_recorded=False).first()
    if prompt is None:
        prompt = register_prompt(
            project=project,
            base=base,
            label="Prompt",
            system_prompt=training_settings.PROMPT_SYSTEM,
            prompt_template=training_settings.PROMPT_TEMPLATE,
            by=engineer,
        )
    _remember(demonstration, base=base.pk, prompt=prompt.pk)


def train_first(demonstration: Demonstration) -> Job | None:
    if demonstration.track == Track.RECORDED:
        _remember(demonstration, **restore_first_run(demonstration.project, by=person("engineer")))
        return None
    register_models(demonstration)
    run = start_training(
        project=demonstration.project,
        dataset_version=first_data(demonstration.project),
        base=_model(demonstration, "base"),
        name="v1",
        hyperparameters=training_settings.FIRST_TRAINING,
        by=person("engineer"),
    )
    _remember(demonstration, first_training=run.pk)
    return run.job


def generate_first(demonstration: Demonstration) -> Job | None:
    if demonstration.track == Track.RECORDED:
        return None
    v1 = _run(demonstration, "first_training").produced
    assert v1 is not None
    run = start_generation(
        project=demonstration.project,
        dataset_version=first_data(demonstration.project),
        splits=[Split.FEEDBACK, Split.TEST],
        candidates=[_model(demonstration, "base"), _model(demonstration, "prompt"), v1],
        sampling=training_settings.SAMPLING,
        name="base, prompt, v1",
        by=person("engineer"),
    )
    _remember(demonstration, v1=v1.pk, first_generation=run.pk)
    return run.job


def open_feedback_review(demonstration: Demonstration) -> Job | None:
    return _open_review(
        demonstration, "feedback_campaign", "Cycle 1", Split.FEEDBACK, ["base", "prompt", "v1"]
    )


def _open_review(
    demonstration: Demonstration,
    name: str,
    title: str,
    split: Split,
    candidates: list[str],
    *,
    champion: str = "",
) -> Job | None:
    """Open a campaign with simulated reviewers. With ``champion``, a gate against it is applied before the
    first review.
    """
    project = demonstration.project
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=label(demonstration, title),
            rubric_version=rubric_version(project),
            dataset_version=first_data(project),
            split=split,
            candidates=[_model(demonstration, candidate) for candidate in candidates],
            overlap=len(simulated_users()),
            reviewers=list(simulated_users().values()),
            seed=training_settings.REVIEW_SEED,
        ),
        by=person("manager"),
        is_recorded=demonstration.track == Track.RECORDED,
    )
    if champion:
        take_release_gate(campaign=campaign, champion=_model(demonstration, champion), by=person("manager"))
    open_campaign(campaign=campaign, by=person("manager"))
    _remember(demonstration, **{name: campaign.pk})
    return create_job(
        project=project,
        task=REVIEW_TASK,
        title=f"Simulated reviews of {campaign.name}",
        by=person("manager"),
        params={"campaign": campaign.pk},
    )


def collect_feedback(demonstration: Demonstration) -> Job | None:
    campaign = Campaign.objects.get(pk=demonstration.objects_made["feedback_campaign"])
    close_campaign(campaign=campaign, by=person("manager"))
    export = propose_rows(
        campaign=campaign, by=person("engineer"), name=label(demonstration, "Corrections of cycle 1")
    )
    if demonstration.track == Track.RECORDED:
        Export.objects.filter(pk=export.pk).update(is_recorded=True)
    _remember(demonstration, export=export.pk)
    return create_job(
        project=demonstration.project,
        task=ACCEPT_TASK,
        title=f"Simulated decisions on {export.name}",
        by=person("manager"),
        params={"export": export.pk},
    )


def write_feedback(demonstration: Demonstration) -> Job | None:
    export = Export.objects.get(pk=demonstration.objects_made["export"])
    return start_export(
        export=export, by=person("engineer"), note="Accepted corrections of the feedback split"
    )


def train_second(demonstration: Demonstration) -> Job | None:
    export = Export.objects.get(pk=demonstration.objects_made["export"])
    assert export.dataset_version is not None
    if demonstration.track == Track.RECORDED:
        DatasetVersion.objects.filter(pk=export.dataset_version.pk).update(is_recorded=True)
        made = restore_second_run(
            demonstration.project, export.dataset_version, demonstration.objects_made, by=person("engineer")
        )
        _remember(demonstration, **made)
        return None
    run = start_training(
        project=demonstration.project,
        dataset_version=export.dataset_version,
        base=_model(demonstration, "base"),
        continued_from=_model(demonstration, "v1"),
        name="v2",
        hyperparameters=training_settings.SECOND_TRAINING,
        by=person("engineer"),
    )
    _remember(demonstration, second_training=run.pk)
    return run.job


def generate_second(demonstration: Demonstration) -> Job | None:
    if demonstration.track == Track.RECORDED:
        return None
    v2 = _run(demonstration, "second_training").produced
    assert v2 is not None
    run = start_generation(
        project=demonstration.project,
        # The first version's test rows, which the other candidates answered, too.
        dataset_version=first_data(demonstration.project),
        splits=[Split.TEST],
        candidates=[v2],
        sampling=training_settings.SAMPLING,
        name="v2",
        by=person("engineer"),
    )
    _remember(demonstration, v2=v2.pk, second_generation=run.pk)
    return run.job


def open_test_review(demonstration: Demonstration) -> Job | None:
    return _open_review(
        demonstration,
        "test_campaign",
        "Cycle 2",
        Split.TEST,
        ["base", "prompt", "v1", "v2"],
        champion="v1",
    )


def ask_gate(demonstration: Demonstration) -> Job | None:
    campaign = Campaign.objects.get(pk=demonstration.objects_made["test_campaign"])
    # v2 last, because pages show the newest evaluation first.
    for name in ("prompt", "v2"):
        ask_release_gate(campaign=campaign, candidate=_model(demonstration, name), by=person("manager"))
    return None


def close_story(demonstration: Demonstration) -> Job | None:
    campaign = Campaign.objects.get(pk=demonstration.objects_made["test_campaign"])
    close_campaign(campaign=campaign, by=person("manager"))
    if demonstration.track == Track.RECORDED:
        _invite(demonstration)
    return None


def _invite(demonstration: Demonstration) -> None:
    """Open a campaign for visitors, without simulated reviews."""
    project = demonstration.project
    people = [person(name) for name in ("owner", "manager", "engineer", "reviewer")]
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name="Rate 5 yourself",
            rubric_version=rubric_version(project),
            dataset_version=first_data(project),
            split=Split.TEST,
            candidates=[_model(demonstration, candidate) for candidate in ("prompt", "v1", "v2")],
            overlap=len(people),
            reviewers=people,
            instructions="Five reviews are the goal; continue as long as you like. Every review counts in "
            "the results at once, which the owner, the manager and the engineer can see.",
            seed=training_settings.REVIEW_SEED,
        ),
        by=person("manager"),
        invites_visitors=True,
    )
    open_campaign(campaign=campaign, by=person("manager"))
    _remember(demonstration, visitors_campaign=campaign.pk)


def watch_production(demonstration: Demonstration) -> Job | None:
    """Replay thirteen weeks in production, once for both tracks."""
    if demonstration.track != Track.RECORDED:
        return None
    made = demonstration.objects_made
    return create_job(
        project=demonstration.project,
        task=PRODUCTION_TASK,
        title="Simulated weeks in production",
        by=person("manager"),
        params={"project": demonstration.project_id, "versions": [made["v2"], made["v1"]]},
    )


def score(run_name: str) -> Callable[[Demonstration], Job | None]:
    def start(demonstration: Demonstration) -> Job | None:
        run = _run(demonstration, run_name)
        # New outputs are scored automatically; restored ones are not.
        return scoring_of(run) or start_scoring(run=run, by=person("engineer"))

    return start


STEPS: tuple[Step, ...] = (
    Step("Train v1 on the formal texts", train_first, "first_training"),
    Step("Generate outputs of base, prompt and v1", generate_first, "first_generation"),
    Step("Score the outputs", score("first_generation")),
    Step("Blind reviews of the feedback split", open_feedback_review, "feedback_campaign"),
    Step("Collect corrections", collect_feedback, "export"),
    Step("Create the next dataset version", write_feedback),
    Step("Train v2 on the corrections, continued from v1", train_second, "second_training"),
    Step("Generate outputs of v2", generate_second, "second_generation"),
    Step("Score the outputs", score("second_generation")),
    Step("Blind reviews of the test split", open_test_review, "test_campaign"),
    Step("Evaluate the gate", ask_gate, "test_campaign"),
    Step("Close cycle 2", close_story),
    Step("Thirteen weeks in production", watch_production),
)


def advance(demonstration_id: int) -> None:
    """Advance a track as far as possible without waiting. Safe to call at any time and concurrently."""
    while _advance_once(demonstration_id):
        pass


@transaction.atomic
def _advance_once(demonstration_id: int) -> bool:
    demonstration = (
        Demonstration.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("project", "job")
        .filter(pk=demonstration_id, finished_at=None)
        .first()
    )
    if demonstration is None:
        return False
    if demonstration.job is not None:
        if demonstration.job.state != JobState.SUCCEEDED:
            # Failed or running: the job's page says so, and the story continues after a successful retry.
            return False
        demonstration.job = None
        demonstration.position += 1
    if demonstration.position >= len(STEPS):
        demonstration.finished_at = timezone.now()
    elif (
        demonstration.track == Track.LIVE
        and demonstration.position == 0
        and not training_settings.base_is_there()
    ):
        return False
    else:
        demonstration.job = STEPS[demonstration.position].start(demonstration)
        if demonstration.job is None:
            demonstration.position += 1
    demonstration.save(update_fields=["job", "position", "objects_made", "finished_at"])
    return demonstration.job is None and demonstration.finished_at is None
