"""Who may see and adjudicate disputes: nobody adjudicates their own reviews, or items that they may still
get.
"""

from django.db.models import Q, QuerySet

from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.adjudication.subjects import Subject, reviews_about
from evalapp.campaigns.models import Campaign, CampaignState, Comparison
from evalapp.campaigns.queries import is_reviewing
from evalapp.core.errors import NotAllowedError

ADJUDICATING_ROLES = [
    role for role, permissions in PERMISSIONS.items() if Permission.ADJUDICATE in permissions
]
OWN_OUTPUT = "You reviewed this output yourself, so somebody else has to decide about it."
OWN_COMPARISON = "You reviewed this comparison yourself, so somebody else has to decide about it."
STILL_REVIEWING = (
    "You still review in this campaign, and this page shows how others rated items that you may get. Come"
    " back when every review is submitted, or when the campaign is closed."
)


def has_reviewed(person: User, subject: Subject) -> bool:
    """Whether they reviewed the output or the comparison."""
    return reviews_about(subject).filter(reviewer=person).exists()


def why_not_adjudicate(*, person: User, campaign: Campaign, subject: Subject) -> str:
    """Why this person may not adjudicate the subject, in a sentence; empty if they may.

    The view checks the permission of their role.
    """
    if has_reviewed(person, subject):
        return OWN_COMPARISON if isinstance(subject, Comparison) else OWN_OUTPUT
    return STILL_REVIEWING if is_reviewing(campaign, person) else ""


def require_may_adjudicate(*, person: User, campaign: Campaign, subject: Subject) -> None:
    if reason := why_not_adjudicate(person=person, campaign=campaign, subject=subject):
        raise NotAllowedError(reason)


def require_may_read(*, person: User, campaign: Campaign, subject: Subject) -> None:
    """Require that an adjudicator who reviews here has reviewed the subject before seeing others' reviews of
    it.
    """
    if not has_reviewed(person, subject):
        require_done(campaign, person)


def require_done(campaign: Campaign, person: User) -> None:
    """Require that the person has no reviews left here: they would see others' reviews of what they may still
    get.
    """
    if is_reviewing(campaign, person):
        raise NotAllowedError(STILL_REVIEWING)


def adjudicators_of(project: Project) -> QuerySet[User]:
    """The people whose role lets them adjudicate."""
    members = project.memberships.filter(role__in=ADJUDICATING_ROLES).values("user")
    return User.objects.filter(Q(pk__in=members), is_active=True, is_simulated=False)


def is_running(campaign: Campaign) -> bool:
    return campaign.state in (CampaignState.OPEN, CampaignState.PAUSED)
