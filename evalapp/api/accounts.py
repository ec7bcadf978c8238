"""Operations on people, projects, members, invitations and the audit."""

from typing import Any

from django.forms import model_to_dict
from django.urls import reverse
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.invitations import invite, revoke_invitation
from evalapp.accounts.models import Invitation, Membership, Project, ResultsApplyTo, Role
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.accounts.queries import open_invitations
from evalapp.accounts.retention import LONGEST
from evalapp.accounts.services import change_role, remove_member, update_project
from evalapp.api.fields import Body, Flag, List, Paging, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import ApiView, ProjectView, operation, route
from evalapp.audit.models import AuditEvent
from evalapp.audit.queries import events_of
from evalapp.core.http import get_or_missing
from evalapp.privacy.rules import LONGEST_ALLOWED, LONGEST_PATTERN, MOST_ALLOWED, MOST_PATTERNS

POPULATION_HELP = (
    "Population that the results describe: `panel`, these reviewers, or `reviewers`, other "
    "people like them, too."
)


class ProjectSerializer(ReadOnlySerializer):
    class Meta:
        model = Project
        fields = ("slug", "name", "description", "population", "is_demonstration", "created_at")


class ProjectBody(Body):
    name = Text(max_length=120)
    description = Text(max_length=2_000, allow_blank=True, default="")
    population = serializers.ChoiceField(
        choices=ResultsApplyTo.choices, default=ResultsApplyTo.PANEL, help_text=POPULATION_HELP
    )


class RetentionSerializer(serializers.Serializer[Any]):
    """Days after which unused data are removed; null keeps them for good."""

    production_events = serializers.IntegerField(allow_null=True, default=None)
    drafts = serializers.IntegerField(allow_null=True, default=None)
    job_logs = serializers.IntegerField(allow_null=True, default=None)


class RetentionBody(Body):
    production_events = Whole(
        min_value=1,
        max_value=LONGEST,
        required=False,
        allow_null=True,
        help_text="Production events that nobody reviewed.",
    )
    drafts = Whole(
        min_value=1,
        max_value=LONGEST,
        required=False,
        allow_null=True,
        help_text="Drafts that nobody edits any more.",
    )
    job_logs = Whole(
        min_value=1, max_value=LONGEST, required=False, allow_null=True, help_text="Logs of finished jobs."
    )


class ProjectSettingsSerializer(ReadOnlySerializer):
    retention = RetentionSerializer()
    masking_patterns = serializers.SerializerMethodField()
    masking_allowed = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = (
            "name", "description", "population", "shows_reviewer_names", "needs_second_person",
            "masks_personal_data", "masking_patterns", "masking_allowed", "retention",
        )  # fmt: skip

    def get_masking_patterns(self, project: Project) -> list[list[str]]:
        return list(project.masking_rules.get("patterns", ()))

    def get_masking_allowed(self, project: Project) -> list[str]:
        return list(project.masking_rules.get("allowed", ()))


class ProjectSettingsBody(ProjectBody):
    description = Text(max_length=2_000, allow_blank=True)
    population = serializers.ChoiceField(choices=ResultsApplyTo.choices, help_text=POPULATION_HELP)
    shows_reviewer_names = Flag(
        help_text=(
            "Show names of reviewers to each other in discussions and to managers. If false: pseudonyms."
        )
    )
    needs_second_person = Flag(
        required=False, help_text="A draft can only be published by somebody who edited none of its rows."
    )
    masks_personal_data = Flag(
        required=False,
        help_text="Store imported rows and outputs with placeholders for personal data.",
    )
    masking_patterns = List(
        child=List(child=Text(max_length=LONGEST_PATTERN), min_length=2, max_length=2),
        max_length=MOST_PATTERNS,
        required=False,
        help_text=(
            "Further patterns to mask: pairs of a word for the placeholder and a regular expression "
            '(RE2), such as `["CLAIM", "CL-[0-9]{6}"]`.'
        ),
    )
    masking_allowed = List(
        child=Text(max_length=LONGEST_ALLOWED),
        max_length=MOST_ALLOWED,
        required=False,
        help_text="Texts that are never masked: e-mail addresses, domains (`@example.org`) and others.",
    )
    retention = RetentionBody(
        required=False,
        help_text=(
            "Days after which unused data are removed, every night. Fields that are left out keep their "
            "data for good."
        ),
    )


class MyMembershipSerializer(serializers.Serializer[Any]):
    project = ProjectSerializer()
    role = serializers.ChoiceField(choices=Role.choices)
    may = serializers.SerializerMethodField(help_text="Permissions of the role, by name.")

    def get_may(self, membership: Membership) -> list[str]:
        permissions = PERMISSIONS.get(membership.role, frozenset())
        return [permission.name for permission in Permission if permission in permissions]


class MeSerializer(serializers.Serializer[Any]):
    """The person who owns this token."""

    id = serializers.IntegerField(source="pk")
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    memberships = MyMembershipSerializer(many=True, source="projects_of_person")


class MemberSerializer(serializers.Serializer[Any]):
    """A member; ``person`` is the id by which campaigns name a reviewer."""

    person = serializers.IntegerField(source="user_id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name", allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    is_simulated = serializers.BooleanField(source="user.is_simulated")


class RoleBody(Body):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationBody(Body):
    email = Text(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationSerializer(ReadOnlySerializer):
    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "expires_at", "created_at")


class MadeInvitationSerializer(serializers.Serializer[Any]):
    """Anybody with the ``link`` can join with this role until the link is used, withdrawn or expired."""

    invitation = InvitationSerializer()
    link = serializers.CharField()


class AuditQuery(Paging):
    actor = serializers.IntegerField(min_value=1, required=False, default=None)
    object_type = serializers.CharField(max_length=40, required=False, default="")
    object = serializers.IntegerField(min_value=1, required=False, default=None)
    action = serializers.CharField(
        max_length=60,
        required=False,
        default="",
        help_text="“member.” matches every action that begins with “member.”.",
    )


class AuditEventSerializer(ReadOnlySerializer):
    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "actor_id", "actor_label", "action", "object_type", "object_id", "object_label",
            "data",
        )  # fmt: skip


@route("me/", "api_me")
class Me(ApiView):
    @operation("Who am I", result=MeSerializer)
    def get(self) -> object:
        """The person who owns this token, and their projects."""
        memberships = self.person.memberships.select_related("project").order_by("project__name", "pk")
        self.person.projects_of_person = list(memberships)  # type: ignore[attr-defined]  # for the serializer
        return self.person


@route("", "api_project")
class ProjectDetail(ProjectView):
    required_permission = Permission.VIEW_HOME

    @operation("Read a project", result=ProjectSerializer)
    def get(self) -> object:
        return self.project


@route("settings/", "api_project_settings")
class ProjectSettings(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("Read a project's settings", result=ProjectSettingsSerializer)
    def get(self) -> object:
        return self.project

    @operation("Change a project's settings", body=ProjectSettingsBody, result=ProjectSettingsSerializer)
    def patch(self) -> object:
        """Fields that are left out are unchanged."""
        current = model_to_dict(self.project, fields=ProjectSettingsBody().fields)
        return update_project(project=self.project, by=self.person, **self.changes(current))


@route("members/", "api_members")
class MemberList(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("List the members", result=MemberSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.memberships.select_related("user"))


@route("members/<int:person_id>/", "api_member")
class MemberDetail(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    def member(self, person_id: int) -> Membership:
        members = self.project.memberships.select_related("user", "project")
        return get_or_missing(members, user=person_id)

    @operation("Change a member's role", body=RoleBody, result=MemberSerializer)
    def patch(self, person_id: int) -> object:
        """403 if your role may not grant or remove these roles; 409 for the last owner."""
        membership = self.member(person_id)
        role = self.changes({"role": membership.role})["role"]
        return change_role(membership=membership, role=role, by=self.person)

    @operation("Remove a member", status=204)
    def delete(self, person_id: int) -> object:
        """The person leaves the project's campaigns; their reviews and texts stay. 409 for the last owner."""
        remove_member(membership=self.member(person_id), by=self.person)
        return Response(status=204)


@route("members/me/", "api_own_membership")
class OwnMembership(ProjectView):
    # Every role has it, and anyone may leave.
    required_permission = Permission.REVIEW

    @operation("Leave a project", status=204)
    def delete(self) -> object:
        """You leave the project's campaigns; your reviews and texts stay. 409 for the last owner."""
        remove_member(membership=self.membership, by=self.person)
        return Response(status=204)


@route("invitations/", "api_invitations")
class InvitationList(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("List open invitations", result=InvitationSerializer, paged=True)
    def get(self) -> object:
        return self.page(open_invitations(self.project))

    @operation("Invite somebody", body=InvitationBody, result=MadeInvitationSerializer, status=201)
    def post(self) -> object:
        """The link is shown only once. An older open invitation for the same email becomes invalid."""
        made = invite(project=self.project, by=self.person, **self.body())
        link = self.request.build_absolute_uri(reverse("invitation_accept", args=[made.token]))
        return {"invitation": made.invitation, "link": link}


@route("invitations/<int:invitation_id>/", "api_invitation")
class InvitationDetail(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("Withdraw an invitation", status=204)
    def delete(self, invitation_id: int) -> object:
        """409 if the invitation is already used or withdrawn."""
        invitations = self.project.invitations.select_related("project")
        revoke_invitation(invitation=get_or_missing(invitations, pk=invitation_id), by=self.person)
        return Response(status=204)


@route("audit/", "api_audit")
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
