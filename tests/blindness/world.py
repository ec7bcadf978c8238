"""A blind campaign whose secrets can be recognised wherever they turn up.

Texts bear the word `CANARY`, the ids of every table lie in a range of its own (`far_ids`), and figures are
such as nothing else has. What cannot bear a mark (a peer's score, a tag, which model wrote which answer) is
changed by `otherwise`: whatever a reviewer is told must stay the same.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import connection
from django.db.models import BigAutoField, F
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.adjudication.models import ComparisonAdjudication, DiscussionMessage
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import (
    Assignment,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    Comparison,
    ItemOutput,
    Purpose,
    Skip,
)
from evalapp.campaigns.services import open_campaign
from evalapp.datasets.models import Dataset
from evalapp.exports.models import Export
from evalapp.jobs.models import Job, JobEvent
from evalapp.registry.models import Model, ModelVersion
from evalapp.reviews.models import Correction, Draft, Review, ReviewRevision, ReviewTag, Score, TextAnswer
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.gold import GoldPreferenceRow, set_gold_preferences
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.services import amend_review, skip_item, submit_at
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from evalapp.runs.models import Output, Run, RunCandidate
from tests.access_objects import make_world
from tests.campaigns.making import make_campaign as make_draft
from tests.cast import make_user
from tests.factories import answers, make_campaign, review_all, walk

CANARY = "canary"
ROWS = 4
TOKENS, WRITTEN_TOKENS, LATENCY, PEER_SECONDS = 77_771, 88_882, 99.993, 77.125

FIRST_ID, IDS_OF_A_TABLE = 1_900_000_000, 1_000_000
_FAR_ID = re.compile(r"(?<![\w.])19\d{8}(?!\w)")
_FIGURES = {
    # Not in the microseconds of a time, nor in a key.
    "tokens of an answer": re.compile(r"(?<![\w.])(?:77,?771|88,?882)(?!\w)"),
    "latency of an answer": re.compile(r"(?<![\w.])99\.99"),
    "a peer's seconds": re.compile(r"(?<![\w.])77\.1"),
}
# Names of fields that no answer to a reviewer has: ids, when something was made, and what checks them.
_FIELDS = re.compile(
    r"""["'\s](?:data-|name=["'])?(
        (?:output|item|item_output|example|review|run|job|model|model_version|candidate|peer|reviewer)_?id
      | (?:is_)?gold\w* | (?:is_)?repeat\w* | known_answer\w* | finish_reason | \w+_tokens | latency\w*
      | (?:created|generated|finished|opened|claimed|lease_expires)_at
    )["'=]""",
    re.VERBOSE | re.IGNORECASE,
)
# A person's own tokens have addresses of their own.
_OWN_TABLES = {"ApiToken"}


def _tables() -> list[type[Any]]:
    models = apps.get_app_config("evalapp").get_models()
    kept = (model for model in models if isinstance(model._meta.pk, BigAutoField))
    return sorted(kept, key=lambda model: model.__name__)


@contextmanager
def far_ids() -> Iterator[None]:
    """Rows made meanwhile have ids that tell their table, and that nothing else looks like."""
    before: dict[str, tuple[int, bool]] = {}
    with connection.cursor() as cursor:
        for number, model in enumerate(_tables()):
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, "id"])
            (sequence,) = cursor.fetchone()
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")
            before[sequence] = cursor.fetchone()
            # Not one after another from a round figure, so that a count is not taken for an id.
            start = FIRST_ID + number * IDS_OF_A_TABLE + 4_321
            cursor.execute("SELECT setval(%s, %s)", [sequence, start])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for sequence, (last, is_called) in before.items():
                cursor.execute("SELECT setval(%s, %s, %s)", [sequence, last, is_called])


def leaks_in(text: str, *, own_ids: set[int]) -> list[str]:
    """What of the campaign's secrets stands in what a reviewer was told."""
    tables = [model.__name__ for model in _tables()]
    found = [
        f"text “{text[max(0, match.start() - 20) : match.end() + 40]}”"
        for match in re.finditer(CANARY, text, re.IGNORECASE)
    ]
    for match in _FAR_ID.finditer(text):
        number, table = int(match[0]), (int(match[0]) - FIRST_ID) // IDS_OF_A_TABLE
        if 0 <= table < len(tables) and number not in own_ids and tables[table] not in _OWN_TABLES:
            found.append(f"id {number} of {tables[table]}")
    found += [f"{what}: {match[0]}" for what, figure in _FIGURES.items() for match in figure.finditer(text)]
    return found


def fields_in(text: str) -> list[str]:
    """Names of fields in an answer to a reviewer that should not be there, whatever they hold."""
    return [match[1] for match in _FIELDS.finditer(text)]


def make_blind_world(project: Project, reviewer: User) -> SimpleNamespace:
    """A campaign in which ``reviewer`` has work and others have said much; and a row of every kind.

    As `make_world`, so that every address has its arguments; those of the campaign are this campaign's.
    Call it inside `far_ids`.
    """
    peer, third, late = (make_user(f"{CANARY} {name}") for name in ("peer", "third", "late"))
    for person in (peer, third, late):
        project.memberships.create(user=person, role="reviewer")
    world = make_world(project, reviewer=peer)
    world.campaign.name = f"{CANARY} elsewhere"
    world.campaign.save(update_fields=["name"])
    world.token = create_api_token(user=reviewer, name="Mine", by=reviewer).token
    campaign = _campaign(project, [reviewer, peer, third, late])
    _say(campaign, peer, third)
    _name_all()
    world.user, world.peer, world.third, world.late = reviewer, peer, third, late
    world.campaign = campaign
    world.campaign_reviewer = campaign.reviewers.get(user=peer)
    world.review = Review.objects.filter(campaign=campaign, reviewer=peer).latest("id")
    world.assignment, world.item_output = world.review.assignment, world.review.item_output
    world.item, world.output = world.item_output.item, world.item_output.output
    world.example, world.run = world.output.example, world.output.run
    world.dataset_version, world.model_version = world.example.version, world.output.candidate
    world.job = world.run.job
    world.rubric_version, world.rubric = campaign.rubric_version, campaign.rubric_version.rubric
    return world


def make_comparing_world(project: Project, reviewer: User, peer: User, *, method: str) -> SimpleNamespace:
    """A campaign that compares answers, with gold, repeats and calibration; ``peer`` has judged all theirs.

    Call it inside `far_ids`.
    """
    candidates = 3 if method == "ranking" else 2
    draft = make_draft(
        project,
        [reviewer, peer],
        rows=32,
        candidates=candidates,
        overlap=2,
        method=method,
        gold_share=20,
        repeat_share=50,
        calibration_items=2,
    )
    first, second = (each.model_version.label for each in draft.candidates.all()[:2])
    pair = {"against": second, "outcome": "better"} if method == "pairwise" else {}
    rows = [GoldPreferenceRow(f"line {row}", str(row), first, **pair) for row in (1, 2, 3)]
    set_gold_preferences(campaign=draft, rows=rows, by=None)
    campaign = open_campaign(campaign=draft, by=None)
    User.objects.filter(pk=peer.pk).update(name=f"{CANARY} peer")
    campaign.reviewers.filter(user=peer).update(admitted_at=timezone.now())
    campaign_reviewers = campaign.reviewers.select_related(
        "campaign__rubric_version", "campaign__project", "user"
    )
    while isinstance(found := next_review(campaign_reviewer=campaign_reviewers.get(user=peer)), NextReview):
        review_context = review_context_at(peer, found.assignment.key, found.slot)
        # What is said in the round is there to be read by those who are done with it.
        comment = "" if review_context.assignment.purpose == Purpose.CALIBRATION else f"{CANARY} comment"
        said = (
            PreferenceAnswers("", [2, 1, 3], comment)
            if method == "ranking"
            else PreferenceAnswers("b", None, comment)
        )
        submit_at(review_context=review_context, client_id=uuid4(), answers=said, seconds_active=PEER_SECONDS)
    for comparison in Comparison.objects.filter(item__campaign=campaign):
        DiscussionMessage.objects.create(
            campaign=campaign, comparison=comparison, author=peer, text=f"{CANARY} message"
        )
        ComparisonAdjudication.objects.create(
            campaign=campaign,
            comparison=comparison,
            outputs=comparison.outputs,
            reason=f"{CANARY} reason",
            decided_by=project.created_by,
            decided_at=timezone.now(),
            **({"ranks": [3, 1, 2]} if method == "ranking" else {"choice": "b"}),
        )
    _name_all()
    return SimpleNamespace(user=reviewer, project=project, campaign=campaign)


def _campaign(project: Project, people: list[User]) -> Campaign:
    rubric = create_rubric(project=project, name="House rubric", by=None)
    words = CriterionDraft(
        name="In words", kind="text", minimum=0, maximum=1, low_threshold=None, is_required=False
    )
    version = save_version(rubric=rubric, criteria=[*SUMMARIES.criteria, words], by=None)
    return make_campaign(
        project,
        people,
        rows=ROWS,
        texts={
            f"{CANARY}-label-one": "Portfolio {n} holds shares.",
            f"{CANARY}-label-two": "You own {n}. Call us.",
        },
        name="Spring round",
        rubric_version=version,
        instructions="Read the request first.",
    )


def _say(campaign: Campaign, peer: User, third: User) -> None:
    """What peers said, drafted, changed and skipped."""
    said = replace(
        answers(tone=1, accuracy=2),
        tags={"tone": ("too-formal",)},
        comment=f"{CANARY} comment",
        correction=f"The {CANARY} correction.",
        texts={"in-words": f"{CANARY} words"},
    )
    reviews = review_all(
        campaign,
        peer,
        dict.fromkeys((f"{CANARY}-label-one", f"{CANARY}-label-two"), said),
        seconds_active=PEER_SECONDS,
    )
    changed = Review.objects.select_related("campaign__project", "campaign__rubric_version").get(
        pk=reviews[0].pk
    )
    amend_review(review=changed, by=peer, answers=replace(said, comment=f"{CANARY} afterthought"), revision=1)
    assignment, entry = next(walk(campaign, third))
    Draft.objects.create(
        campaign=campaign,
        reviewer=third,
        item_output=entry,
        body=replace(said, comment=f"{CANARY} draft").as_dict(),
    )
    other = (
        Assignment.objects.filter(campaign=campaign, state="in_progress", reviewer=third)
        .exclude(pk=assignment.pk)
        .first()
    )
    if other is not None:
        skip_item(
            reviewer=third,
            assignment=Assignment.objects.select_related("campaign__project").get(pk=other.pk),
            reason=f"{CANARY} skip",
        )


def _name_all(kind: str = "") -> None:
    """Marks on all that is named, and on what a run noted of its answers."""
    for model, field in (
        (ModelVersion, "label"),
        (Model, "name"),
        (Run, "name"),
        (Job, "title"),
        (Dataset, "name"),
        (Export, "name"),
    ):
        for row in model.objects.all():
            model.objects.filter(pk=row.pk).update(**{field: f"{CANARY} {kind}{field} {row.pk}"[:80]})
    for each in RunCandidate.objects.all():
        RunCandidate.objects.filter(pk=each.pk).update(key=f"{CANARY}-{kind}key-{each.pk}")
    ModelVersion.objects.update(system_prompt=f"{CANARY} {kind}prompt")
    JobEvent.objects.update(text=f"{CANARY} {kind}log line")
    Run.objects.update(engine=f"{CANARY} {kind}engine", device=f"{CANARY} {kind}device")
    Output.objects.update(
        prompt_tokens=TOKENS,
        completion_tokens=WRITTEN_TOKENS,
        seconds=LATENCY,
        finish_reason=f"{CANARY}-stop",
    )


def otherwise(world: SimpleNamespace) -> None:
    """The same campaign with every secret another, marked or not; call it in a transaction to be undone."""
    campaign = world.campaign
    _name_all("other ")
    Output.objects.update(prompt_tokens=F("id") % 1000, completion_tokens=F("id") % 500, seconds=0.5)
    ModelVersion.objects.update(is_simulated=True, alias="", system_prompt="")
    first, second = campaign.candidates.order_by("position")
    one, two = first.model_version_id, second.model_version_id
    spare = ModelVersion.objects.exclude(pk__in=[one, two]).values_list("pk", flat=True)[0]
    # By way of a third, because no campaign has a candidate twice.
    for candidate, version in ((first, spare), (second, one), (first, two)):
        CampaignCandidate.objects.filter(pk=candidate.pk).update(model_version=version)
    peers = Review.objects.filter(campaign=campaign).exclude(reviewer=world.user)
    scores = Score.objects.filter(review__in=peers, value__isnull=False)
    scores.update(value=F("minimum") + F("maximum") - F("value"))
    ReviewTag.objects.filter(review__in=peers).delete()
    TextAnswer.objects.filter(review__in=peers).delete()
    Correction.objects.filter(review__in=peers).delete()
    ReviewRevision.objects.filter(review__in=peers).delete()
    peers.update(comment="", seconds_active=3, revision=1, revised_at=None)
    CampaignReviewer.objects.filter(campaign=campaign).exclude(user=world.user).update(seconds_active=24)
    Draft.objects.exclude(reviewer=world.user).delete()
    Skip.objects.exclude(reviewer=world.user).update(reason="Another reason")
    for person in (world.peer, world.third, world.late):
        User.objects.filter(pk=person.pk).update(name=f"Somebody {person.pk}")


def own_ids_of(world: SimpleNamespace) -> set[int]:
    """What a reviewer may know: themselves, and the project they are a member of."""
    return {world.user.pk, world.project.pk}


def slots_of_first_candidate(assignments: Any) -> list[int]:
    """At which slot each assignment, in the order of ranks, has the first candidate's answer."""
    first = set(
        ItemOutput.objects.filter(candidate__position=0, item__assignments__in=assignments).values_list(
            "pk", flat=True
        )
    )
    return [
        next(slot for slot, output in enumerate(assignment.outputs_order) if output in first)
        for assignment in assignments.order_by("campaign_id", "rank")
    ]
