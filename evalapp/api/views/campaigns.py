from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.errors import invalid
from evalapp.api.operations import ProjectView, chosen, chosen_all, named, operation
from evalapp.api.serializers.campaigns import (
    AddAssignmentsBody,
    AddedSerializer,
    AddedToSerializer,
    AddItemsBody,
    CalibrationSerializer,
    CampaignBody,
    CampaignItemSerializer,
    CampaignSerializer,
    ChecksSerializer,
    CostSerializer,
    DeadlineBody,
    GoldAnswerSerializer,
    GoldBody,
    ItemListQuery,
    MovedSerializer,
    ProgressSerializer,
    QuotaBody,
    QuotaSerializer,
    ReassignBody,
    ReleasedSerializer,
    ReviewersBody,
    RoundBody,
    StoredSerializer,
)
from evalapp.api.serializers.reviews import FlagSerializer
from evalapp.campaigns import services
from evalapp.campaigns.calibration import start_round
from evalapp.campaigns.design import CampaignDesign, problems_of, require_sound
from evalapp.campaigns.gold import GoldRow, remove_known, set_gold
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignReviewer
from evalapp.campaigns.queries import (
    assignment_counts,
    campaigns_of,
    cost_of_design,
    cost_of_draft,
    items_in_list,
    items_with_progress,
    possible_reviewers,
    usable_datasets,
)
from evalapp.campaigns.running import (
    add_assignments,
    add_items,
    reassign,
    release_claimed,
    set_deadline,
    set_quota,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.judgements.calibration import people_in_round
from evalapp.judgements.checks import checks_of
from evalapp.judgements.differing import items_judged_apart
from evalapp.registry.queries import versions_of
from evalapp.reviews.admission import admit_by_name, admit_by_number
from evalapp.reviews.differing import comparable_criteria, items_that_differ
from evalapp.reviews.flags import flags_of, resolve_flag
from evalapp.reviews.named import under_names
from evalapp.reviews.progress import team_progress
from evalapp.rubrics.models import Criterion, RubricVersion


class CampaignView(ProjectView):
    required_permission = Permission.VIEW_CAMPAIGNS
    post_permission = Permission.EDIT_CAMPAIGNS

    def campaigns(self) -> QuerySet[Campaign]:
        candidates = CampaignCandidate.objects.select_related("model_version").order_by("position")
        return campaigns_of(self.project).prefetch_related(Prefetch("candidates", queryset=candidates))

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.campaigns(), pk=campaign_id)

    def campaign_reviewer(self, campaign_id: int, person_id: int) -> CampaignReviewer:
        campaign_reviewers = CampaignReviewer.objects.select_related("user", "campaign__project")
        return get_or_missing(campaign_reviewers, campaign=self.campaign(campaign_id), user=person_id)

    def design(self, draft: Campaign | None = None) -> CampaignDesign:
        """The body's design, its ids looked up in this project; ``draft``: whose design it replaces.

        Raises InvalidError naming every field that cannot be read or cannot stay.
        """
        values, problems = self.body_so_far()
        versions = versions_of(self.project)
        rubrics = RubricVersion.objects.filter(rubric__project=self.project).select_related("rubric")
        sources: dict[str, tuple[Callable[..., Any], QuerySet[Any], str]] = {
            "rubric_version": (chosen, rubrics, "rubric version with id"),
            "dataset_version": (chosen, usable_datasets(self.project), "dataset version with id"),
            "candidates": (chosen_all, versions, "candidate with id"),
            "reviewers": (chosen_all, possible_reviewers(self.project), "reviewer with id"),
            "baseline": (chosen, versions, "candidate with id"),
        }
        for name, (look_up, rows, what) in sources.items():
            if values.get(name) is None:
                continue
            try:
                values[name] = look_up(rows, values[name], name, what)
            except InvalidError as error:
                problems |= error.fields
        if problems:
            unread = {name.partition(".")[0] for name in problems}
            blank: dict[str, Any] = dict.fromkeys(CampaignBody().fields)
            design = CampaignDesign(**{**blank, **values})
            raise invalid(problems | problems_of(design, self.project, draft=draft, unread=unread))
        return CampaignDesign(**values)


class CampaignList(CampaignView):
    @operation("List campaigns", result=CampaignSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.campaigns())

    @operation("Design a campaign", body=CampaignBody, result=CampaignSerializer, status=201)
    def post(self) -> object:
        """A draft; nothing is handed out until it is opened."""
        made = services.create_campaign(project=self.project, design=self.design(), by=self.person)
        return self.campaign(made.pk)


class CampaignDetail(CampaignView):
    @operation("Read a campaign", result=CampaignSerializer)
    def get(self, campaign_id: int) -> object:
        return self.campaign(campaign_id)

    @operation("Edit a draft", body=CampaignBody, result=CampaignSerializer)
    def put(self, campaign_id: int) -> object:
        """The whole design anew; without a `seed` it keeps its own. 409 once it has been opened."""
        campaign = self.campaign(campaign_id)
        services.edit_campaign(campaign=campaign, design=self.design(campaign), by=self.person)
        return self.campaign(campaign_id)

    @operation("Discard a draft", status=204)
    def delete(self, campaign_id: int) -> object:
        """409 once it has been opened: what people rated stays."""
        services.discard_campaign(campaign=self.campaign(campaign_id), by=self.person)
        return Response(status=204)


class DesignCost(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Ask what a design costs", body=CampaignBody, result=CostSerializer)
    def post(self) -> object:
        """Reviews, hours and each person's share; nothing is made."""
        design = self.design()
        require_sound(design, self.project)
        return cost_of_design(design)


class CampaignCost(CampaignView):
    @operation("Read what a draft costs", result=CostSerializer)
    def get(self, campaign_id: int) -> object:
        """As it stands, the gold items known so far left out."""
        return cost_of_draft(self.campaign(campaign_id))


class CampaignMove(CampaignView):
    """A change of state; the subclasses name the service."""

    service: ClassVar[Callable[..., Campaign]]

    def moved(self, campaign_id: int) -> Campaign:
        campaign = self.campaign(campaign_id)
        self.body()
        type(self).service(campaign=campaign, by=self.person)
        return self.campaign(campaign_id)


class CampaignOpen(CampaignMove):
    service = services.open_campaign

    @operation("Open a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """Freezes the rubric, and makes an assignment for every review that is wanted."""
        return self.moved(campaign_id)


class CampaignPause(CampaignMove):
    service = services.pause_campaign

    @operation("Pause a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """Nothing more is handed out; what is on a screen may still be submitted."""
        return self.moved(campaign_id)


class CampaignResume(CampaignMove):
    service = services.resume_campaign

    @operation("Resume a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        return self.moved(campaign_id)


class CampaignClose(CampaignMove):
    service = services.close_campaign

    @operation("Close a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """From here on nothing is submitted or amended."""
        return self.moved(campaign_id)


class CampaignReviewers(CampaignView):
    @operation("Add reviewers", body=ReviewersBody, result=AddedSerializer)
    def post(self, campaign_id: int) -> object:
        """More people share the same work; the number of assignments stays."""
        campaign = self.campaign(campaign_id)
        people = chosen_all(
            possible_reviewers(self.project), self.body()["reviewers"], "reviewers", "reviewer with id"
        )
        return {"added": services.add_reviewers(campaign=campaign, reviewers=people, by=self.person)}


class CampaignReviewerDetail(CampaignView):
    @operation("Let a reviewer leave", status=204)
    def delete(self, campaign_id: int, person_id: int) -> object:
        """Their assignments in progress go to others, what they submitted stays. 409 where they have left already."""
        services.remove_reviewer(
            campaign_reviewer=self.campaign_reviewer(campaign_id, person_id), by=self.person
        )
        return Response(status=204)


class CampaignDeadline(CampaignView):
    @operation("Move the deadline", body=DeadlineBody, result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """After it nothing new is handed out. 409 unless the campaign runs."""
        set_deadline(campaign=self.campaign(campaign_id), deadline=self.body()["deadline"], by=self.person)
        return self.campaign(campaign_id)


class CampaignQuota(CampaignView):
    @operation("Set a reviewer's quota", body=QuotaBody, result=QuotaSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """The most items that this person is handed; what they have stays."""
        campaign_reviewer = self.campaign_reviewer(campaign_id, person_id)
        return set_quota(campaign_reviewer=campaign_reviewer, quota=self.body()["quota"], by=self.person)


class CampaignRelease(CampaignView):
    @operation("Release a reviewer's assignments", result=ReleasedSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """It goes to others; what they submitted of it stays. 409 unless the campaign runs."""
        released = release_claimed(
            campaign_reviewer=self.campaign_reviewer(campaign_id, person_id), by=self.person
        )
        # How many somebody had tells which number of the progress they are.
        return {"released": released if self.project.shows_reviewer_names else None}


class CampaignReassign(CampaignView):
    @operation("Reassign work", body=ReassignBody, result=MovedSerializer)
    def post(self, campaign_id: int) -> object:
        """Moves what nobody has begun, the last in their order first; nobody gets an item twice."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        people = possible_reviewers(self.project)
        for name in ("source", "target"):
            if values[name] is not None:
                values[name] = chosen(people, values[name], name, "reviewer with id")
        moved = reassign(campaign=campaign, by=self.person, **values)
        # How much somebody had left tells which number of the progress they are.
        return {"moved": moved if self.project.shows_reviewer_names else None}


class CampaignItems(CampaignView):
    order = ("id",)

    @operation("List a campaign's items", query=ItemListQuery, result=CampaignItemSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """How far each item is, and why somebody would not judge it; gold and calibration items are left out."""
        return self.page(items_in_list(items_with_progress(self.campaign(campaign_id)), self.query["list"]))

    @operation("Add items", body=AddItemsBody, result=AddedSerializer)
    def post(self, campaign_id: int) -> object:
        """Further examples that were not chosen, by the campaign's own draw; they come last."""
        campaign = self.campaign(campaign_id)
        return {"added": add_items(campaign=campaign, wanted=self.body()["items"], by=self.person)}


class CampaignAddAssignments(CampaignView):
    @operation("Add reviewers where they differ", body=AddAssignmentsBody, result=AddedToSerializer)
    def post(self, campaign_id: int) -> object:
        """More reviewers for each item whose answers to a criterion lie apart, or whose verdicts differ."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        wanted = {"agreement"} if campaign.compares else {"criterion", "least"}
        _require_only(values, wanted, of={"criterion", "least", "agreement"})
        if campaign.compares:
            differing = partial(items_judged_apart, campaign, most=values["agreement"] / 100)
        else:
            criterion = _criterion(campaign, values["criterion"])
            differing = partial(items_that_differ, campaign, criterion, least=values["least"])
        added = add_assignments(campaign=campaign, differing=differing, more=values["more"], by=self.person)
        return {"differing": added.differing, "added": added.items}


def _require_only(values: Mapping[str, object], wanted: set[str], *, of: set[str]) -> None:
    """InvalidError for a field of ``of`` that the campaign's method needs and lacks, or cannot use."""
    problems = {name: ["This campaign's method needs it."] for name in sorted(wanted - values.keys())}
    for name in sorted((of - wanted) & values.keys()):
        problems[name] = ["This campaign's method has no use for it. Leave it out."]
    if problems:
        named = ", ".join(sorted(wanted))
        raise InvalidError(f"Say where people differ by {named}.", fields=problems)


def _criterion(campaign: Campaign, key: str) -> Criterion:
    criteria = {criterion.key: criterion for criterion in comparable_criteria(campaign)}
    if key not in criteria:
        message = f"There is no criterion “{key}” to compare. Known: {', '.join(criteria)}."
        raise InvalidError(message, fields={"criterion": [message]})
    return criteria[key]


class CampaignGold(CampaignView):
    # Who sees them could not be checked by them.
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("List known answers", result=GoldAnswerSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """The right answers of gold items, by which reviewers are checked."""
        campaign = self.campaign(campaign_id)
        return self.page(campaign.gold_answers.select_related("example", "criterion", "candidate"))

    @operation("Store known answers", body=GoldBody, result=StoredSerializer)
    def post(self, campaign_id: int) -> object:
        """All or nothing; what is known already is replaced. An open campaign takes no new examples."""
        campaign = self.campaign(campaign_id)
        rows = [
            GoldRow(
                f"answers[{number}]",
                str(given["row"]),
                given["criterion"],
                str(given["value"]),
                str(given["tolerance"]),
                given["candidate"],
            )
            for number, given in enumerate(self.body()["answers"])
        ]
        with named(rows="answers"):
            return {"stored": set_gold(campaign=campaign, rows=rows, by=self.person)}


class CampaignGoldAnswer(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Remove a known answer", status=204)
    def delete(self, campaign_id: int, answer: int) -> object:
        """Of an open campaign the example stays a gold item. 409 once it is closed."""
        answers = self.campaign(campaign_id).gold_answers.select_related("campaign__project")
        remove_known(known=get_or_missing(answers, pk=answer), by=self.person)
        return Response(status=204)


class CampaignChecks(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read how reviewers do on checks", result=ChecksSerializer)
    def get(self, campaign_id: int) -> object:
        """Gold answers within their tolerance, and repeats answered as before, by person."""
        campaign = self.campaign(campaign_id)
        return {"people": under_names(campaign, checks_of(campaign))}


def _round_of(campaign: Campaign) -> dict[str, Any]:
    return {"people": under_names(campaign, people_in_round(campaign))}


class CampaignCalibration(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read the calibration", result=CalibrationSerializer)
    def get(self, campaign_id: int) -> object:
        """Who has rated the items of the round, how far from the others, and who is admitted."""
        return _round_of(self.campaign(campaign_id))

    @operation("Start another round", body=RoundBody, result=CalibrationSerializer)
    def post(self, campaign_id: int) -> object:
        """Further items for everybody who is not admitted yet."""
        campaign = self.campaign(campaign_id)
        start_round(campaign=campaign, wanted=self.body()["items"], by=self.person)
        return _round_of(campaign)


class CampaignAdmit(CampaignView):
    @operation("Admit a reviewer", result=CalibrationSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """They get the campaign's items from here on. 409 where they have been admitted, or left; also where
        the project shows no names and they have begun the round: admit them by number then.
        """
        campaign_reviewer = self.campaign_reviewer(campaign_id, person_id)
        self.body()
        admit_by_name(campaign_reviewer=campaign_reviewer, by=self.person)
        return _round_of(campaign_reviewer.campaign)


class CampaignAdmitNumbered(CampaignView):
    @operation("Admit a reviewer by number", result=CalibrationSerializer)
    def post(self, campaign_id: int, number: int) -> object:
        """By the pseudonym's number, as the calibration lists it: for projects that show no names."""
        campaign = self.campaign(campaign_id)
        self.body()
        admit_by_number(campaign=campaign, number=number, by=self.person)
        return _round_of(campaign)


class CampaignProgress(CampaignView):
    @operation("Read a campaign's progress", result=ProgressSerializer)
    def get(self, campaign_id: int) -> object:
        """Assignments, how each reviewer gets on, with active seconds a review, and when the last one will be in."""
        campaign = self.campaign(campaign_id)
        team = team_progress(campaign, reader_id=self.person.pk)
        return {
            "reviews_done": team.done,
            "reviews_total": campaign.reviews_total,
            "items_total": campaign.items_total,
            "assignments": assignment_counts(campaign),
            "people": team.members,
            "forecast": team.forecast,
        }


class FlagList(CampaignView):
    @operation("List a campaign's flags", result=FlagSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """What reviewers say is wrong with items, latest first."""
        return self.page(flags_of(self.campaign(campaign_id)))


class FlagResolve(CampaignView):
    @operation("Resolve a flag", status=204)
    def post(self, campaign_id: int, flag_id: int) -> object:
        """409 where somebody has resolved it before."""
        flags = self.campaign(campaign_id).flags.select_related("campaign__project")
        flag = get_or_missing(flags, pk=flag_id)
        self.body()
        resolve_flag(flag=flag, by=self.person)
        return None
