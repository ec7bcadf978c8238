"""A project's members, their roles, and invitation links."""

from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.forms import InvitationForm, RoleForm
from evalapp.accounts.invitation_lists import invite_all, mail_invitations
from evalapp.accounts.invitations import NewInvitation, revoke_invitation
from evalapp.accounts.models import Role
from evalapp.accounts.people import create_reset_link
from evalapp.accounts.permissions import GRANTABLE, Permission
from evalapp.accounts.queries import member_rows, open_invitations
from evalapp.accounts.services import change_role, remove_member
from evalapp.core.errors import InvalidError
from evalapp.core.http import RefusalsOn, field_errors, get_or_missing, status_of


@never_cache
@project_view(Permission.MANAGE_MEMBERS)
def member_list(request: MemberRequest) -> HttpResponse:
    """The members; a POST creates invitations, and mails their links or shows them once."""
    form = InvitationForm(request.POST or None, inviter_role=request.membership.role)
    if request.method != "POST":
        return _page(request, {"form": form})
    if form.is_valid():
        with RefusalsOn(form):
            made = invite_all(project=request.project, by=request.user, **form.cleaned_data)
            fresh = InvitationForm(inviter_role=request.membership.role)
            context = {"form": fresh, "invited": _passed_on(request, made)}
            return _page(request, context, status=201)
    return _page(request, {"form": form}, status_of(form))


class InvitationResult(NamedTuple):
    """The result of one invitation: a ``link`` to pass on, or the ``problem`` with mailing it; both are "" if
    it was mailed.
    """

    email: str
    link: str
    problem: str


def _passed_on(request: MemberRequest, made: list[NewInvitation]) -> list[InvitationResult]:
    links = [request.build_absolute_uri(reverse("invitation_accept", args=[each.token])) for each in made]
    if not made[0].invitation.is_mailed:
        return [
            InvitationResult(each.invitation.email, link, "") for each, link in zip(made, links, strict=True)
        ]
    problems = mail_invitations(made, links=links, by=request.user)
    return [
        InvitationResult(each.invitation.email, "", text) for each, text in zip(made, problems, strict=True)
    ]


def _page(request: MemberRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    grantable = [
        (role, Role(role).label) for role in Role.values if role in GRANTABLE[request.membership.role]
    ]
    whole = {
        "rows": member_rows(request.project, viewer=request.membership),
        "invitations": open_invitations(request.project),
        "grantable": grantable,
        "reset_link": "",
        "invited": [],
        **context,
    }
    return render(request, "accounts/members.html", whole, status=status)


@require_POST
@project_view(Permission.MANAGE_MEMBERS)
def member_role(request: MemberRequest, pk: int) -> HttpResponse:
    membership = get_or_missing(request.project.memberships.all(), pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Choose one of the roles in the list.", fields=field_errors(form))
    changed = change_role(membership=membership, role=form.cleaned_data["role"], by=request.user)
    messages.success(request, f"{changed.user} is now {changed.get_role_display().lower()}.")
    return redirect("member_list", request.project.slug)


@require_POST
@project_view(Permission.MANAGE_MEMBERS)
def member_remove(request: MemberRequest, pk: int) -> HttpResponse:
    membership = get_or_missing(request.project.memberships.select_related("user"), pk=pk)
    remove_member(membership=membership, by=request.user)
    messages.success(request, f"{membership.user} is no longer a member. What they wrote stays.")
    if membership.user_id == request.user.pk:
        return redirect("/")
    return redirect("member_list", request.project.slug)


@require_POST
@never_cache
@project_view(Permission.MANAGE_MEMBERS)
def member_reset_link(request: MemberRequest, pk: int) -> HttpResponse:
    """Show once a link with which a member sets a new password."""
    membership = get_or_missing(request.project.memberships.select_related("user", "project"), pk=pk)
    path = create_reset_link(membership=membership, by=request.membership)
    form = InvitationForm(inviter_role=request.membership.role)
    link = request.build_absolute_uri(path)
    return _page(request, {"form": form, "reset_link": link, "reset_person": membership.user}, status=201)


@require_POST
@project_view(Permission.MANAGE_MEMBERS)
def invitation_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    invitation = get_or_missing(request.project.invitations.select_related("project"), pk=pk)
    revoke_invitation(invitation=invitation, by=request.user)
    messages.success(request, f"The link for {invitation.email} no longer works.")
    return redirect("member_list", request.project.slug)
