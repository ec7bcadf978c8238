from django.urls import reverse
from rest_framework.response import Response

from evalapp.accounts.invitations import invite, revoke_invitation
from evalapp.accounts.models import Membership, Project
from evalapp.accounts.permissions import Permission
from evalapp.accounts.queries import open_invitations
from evalapp.accounts.services import change_role, remove_member, update_project
from evalapp.api.operations import ApiView, ProjectView, operation
from evalapp.api.serializers.accounts import (
    AuditEventSerializer,
    AuditQuery,
    InvitationBody,
    InvitationSerializer,
    MadeInvitationSerializer,
    MemberSerializer,
    MeSerializer,
    ProjectBody,
    ProjectSerializer,
    ProjectSettingsBody,
    ProjectSettingsSerializer,
    RoleBody,
)
from evalapp.audit.queries import events_of
from evalapp.core.http import get_or_missing
from evalapp.decisions.services import open_project


class Me(ApiView):
    @operation("Who am I", result=MeSerializer)
    def get(self) -> object:
        """The person whose token this is, and their projects."""
        memberships = self.person.memberships.select_related("project").order_by("project__name", "pk")
        self.person.projects_of_person = list(memberships)  # type: ignore[attr-defined]  # for the serializer
        return self.person


class ProjectList(ApiView):
    @operation("List my projects", result=ProjectSerializer, paged=True)
    def get(self) -> object:
        return self.page(Project.objects.filter(memberships__user=self.person))

    @operation("Open a project", body=ProjectBody, result=ProjectSerializer, status=201)
    def post(self) -> object:
        """You become its owner, and it starts with the rubric of the template."""
        return open_project(by=self.person, **self.body())


class ProjectDetail(ProjectView):
    required_permission = Permission.VIEW_HOME

    @operation("Read a project", result=ProjectSerializer)
    def get(self) -> object:
        return self.project


class ProjectSettings(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("Read a project's settings", result=ProjectSettingsSerializer)
    def get(self) -> object:
        return self.project

    @operation("Change a project's settings", body=ProjectSettingsBody, result=ProjectSettingsSerializer)
    def put(self) -> object:
        """All of them together, as the page of settings sends them."""
        return update_project(project=self.project, by=self.person, **self.body())


class MemberList(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("List the members", result=MemberSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.memberships.select_related("user"))


class MemberDetail(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    def member(self, person_id: int) -> Membership:
        members = self.project.memberships.select_related("user", "project")
        return get_or_missing(members, user=person_id)

    @operation("Change a member's role", body=RoleBody, result=MemberSerializer)
    def put(self, person_id: int) -> object:
        """403 where your role gives neither the old nor the new one; 409 for the last owner."""
        membership = self.member(person_id)
        return change_role(membership=membership, role=self.body()["role"], by=self.person)

    @operation("Remove a member", status=204)
    def delete(self, person_id: int) -> object:
        """They leave the project's campaigns; what they wrote stays. 409 for the last owner."""
        remove_member(membership=self.member(person_id), by=self.person)
        return Response(status=204)


class OwnMembership(ProjectView):
    # Every role has it, and anyone may leave.
    required_permission = Permission.REVIEW

    @operation("Leave a project", status=204)
    def delete(self) -> object:
        """You leave its campaigns; what you wrote stays. 409 for the last owner."""
        remove_member(membership=self.membership, by=self.person)
        return Response(status=204)


class InvitationList(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("List open invitations", result=InvitationSerializer, paged=True)
    def get(self) -> object:
        return self.page(open_invitations(self.project))

    @operation("Invite somebody", body=InvitationBody, result=MadeInvitationSerializer, status=201)
    def post(self) -> object:
        """The link is told this once; an older open one for the same address is void."""
        made = invite(project=self.project, by=self.person, **self.body())
        link = self.request.build_absolute_uri(reverse("invitation_accept", args=[made.token]))
        return {"invitation": made.invitation, "link": link}


class InvitationDetail(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("Withdraw an invitation", status=204)
    def delete(self, invitation_id: int) -> object:
        """409 where it has been used or withdrawn already."""
        invitations = self.project.invitations.select_related("project")
        revoke_invitation(invitation=get_or_missing(invitations, pk=invitation_id), by=self.person)
        return Response(status=204)


class AuditList(ProjectView):
    required_permission = Permission.VIEW_AUDIT

    @operation("Read the audit", query=AuditQuery, result=AuditEventSerializer, paged=True)
    def get(self) -> object:
        """Every write in the project, latest first; nobody can change or delete one."""
        return self.page(
            events_of(
                self.project.pk,
                actor_id=self.query["actor"],
                object_type=self.query["object_type"],
                object_id=self.query["object"],
                action=self.query["action"],
            )
        )
