"""Saved views: filters of results under a name, private or shared with the project."""

from contextlib import AbstractContextManager
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import Permission, allows
from evalapp.analysis.scores.filters import read_filter
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.decisions.models import SavedView

LONGEST_QUERY = 4_000
MOST_VIEWS = 500
# Display settings that a view keeps besides its filters.
KEPT = ("reviewer_type", "score_source", "criterion", "metric", "against")


def views_for(person: User, project: Project) -> QuerySet[SavedView]:
    """The views of a project that this person may open: their own and the shared ones."""
    return project.saved_views.filter(Q(is_shared=True) | Q(owner=person)).select_related(
        "campaign", "owner", "project"
    )


def may_change(view: SavedView, person: User) -> bool:
    """Whether the person may change the view: its owner, and for a shared one also people who manage the
    project's campaigns.
    """
    if view.owner_id == person.pk:
        return True
    membership = view.project.memberships.filter(user=person).first()
    return view.is_shared and membership is not None and allows(membership.role, Permission.EDIT_CAMPAIGNS)


@transaction.atomic
def save_view(*, campaign: Campaign, name: str, query: str, is_shared: bool, by: User) -> SavedView:
    """Save the filter of a URL. Raises InvalidError if it filters nothing or names something unknown, or if
    the campaign compares outputs; ConflictError if the name is in use among one's own private views, or among
    the shared ones.
    """
    name = checked_name(name, of="the view", longest=80)
    if campaign.compares:
        raise InvalidError(
            "This campaign compares outputs; only views of ratings can be saved.", field="campaign"
        )
    kept = _checked_query(campaign, query)
    if campaign.saved_views.count() >= MOST_VIEWS:
        raise ConflictError(f"This campaign has {MOST_VIEWS} saved views; delete one first.")
    with _unless_name_taken(name):
        view = SavedView.objects.create(
            project=campaign.project,
            campaign=campaign,
            name=name,
            query=kept,
            is_shared=is_shared,
            owner=by,
        )
    record("saved_view.saved", by=by, obj=view, project=view.project, data=_audit_data(view))
    return view


@transaction.atomic
def change_view(*, view: SavedView, name: str, is_shared: bool, by: User) -> SavedView:
    """Rename a view, share it or make it private. Raises NotAllowedError for people who may not,
    ConflictError for a name in use. Only its owner can make a shared view private, because nobody else could
    open it then.
    """
    require_may_change(view, by)
    if view.is_shared and not is_shared and view.owner_id != by.pk:
        raise NotAllowedError(
            "Only the person who saved a view can make it private. Delete it or leave it shared."
        )
    name = checked_name(name, of="the view", longest=80)
    view.name, view.is_shared = name, is_shared
    with _unless_name_taken(name):
        view.save(update_fields=["name", "is_shared"])
    record("saved_view.changed", by=by, obj=view, project=view.project, data=_audit_data(view))
    return view


@transaction.atomic
def delete_view(*, view: SavedView, by: User) -> None:
    """Delete a view; the numbers that it showed remain."""
    require_may_change(view, by)
    record("saved_view.deleted", by=by, obj=view, project=view.project, data=_audit_data(view))
    view.delete()


def require_may_change(view: SavedView, person: User) -> None:
    if not may_change(view, person):
        raise NotAllowedError(
            "Only the person who saved this view or a manager of the project can change it."
        )


def _checked_query(campaign: Campaign, query: str) -> str:
    if len(query) > LONGEST_QUERY or "\x00" in query:
        raise InvalidError(
            f"A view is at most {LONGEST_QUERY:,} characters long. Choose fewer filters.", field="query"
        )
    given = QueryDict(query.removeprefix("?"))
    wanted = read_filter(campaign, given)
    if wanted.problems or wanted.unknown:
        texts = [problem.message for problem in wanted.problems]
        texts += [f"“{name}” is not a filter of the results." for name in wanted.unknown]
        raise InvalidError(" ".join(texts), fields={"query": texts})
    kept = [(name, value) for name in KEPT for value in given.getlist(name)[:1] if value]
    chosen = [(choice.part, choice.value) for choice in wanted.choices]
    if not kept and not chosen:
        raise InvalidError(
            "The view has no filter. Choose a filter first, then save the view.", field="query"
        )
    return urlencode([*kept, *chosen])


def _unless_name_taken(name: str) -> AbstractContextManager[None]:
    return unless_taken(f"There is a view called “{name}” already. Choose another name.", field="name")


def _audit_data(view: SavedView) -> dict[str, object]:
    return {"campaign": view.campaign_id, "query": view.query, "is_shared": view.is_shared}
