"""Who may see and decide disputes: nobody decides on their own reviews, or on items that they may still
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
    """Why this person may not decide about the subject, in a sentence; empty where they may.

    The permission of their role is the view's to check.
    """
    if has_reviewed(person, subject):
        return OWN_COMPARISON if isinstance(subject, Comparison) else OWN_OUTPUT
    return STILL_REVIEWING if is_reviewing(campaign, person) else ""


def require_may_adjudicate(*, person: User, campaign: Campaign, subject: Subject) -> None:
    if reason := why_not_adjudicate(person=person, campaign=campaign, subject=subject):
        raise NotAllowedError(reason)


def require_may_read(*, person: User, campaign: Campaign, subject: Subject) -> None:
    """An adjudicator who reviews here sees what others said of a subject once they have said
    it themselves.
    """
    if not has_reviewed(person, subject):
        require_done(campaign, person)


def require_done(campaign: Campaign, person: User) -> None:
    """Who still reviews here would see what others said of what they may be given."""
    if is_reviewing(campaign, person):
        raise NotAllowedError(STILL_REVIEWING)


def adjudicators_of(project: Project) -> QuerySet[User]:
    """The people whose role lets them adjudicate."""
    members = project.memberships.filter(role__in=ADJUDICATING_ROLES).values("user")
    return User.objects.filter(Q(pk__in=members), is_active=True, is_simulated=False)


def is_running(campaign: Campaign) -> bool:
    return campaign.state in (CampaignState.OPEN, CampaignState.PAUSED)
