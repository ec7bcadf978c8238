from typing import Any

from rest_framework import serializers

from evalapp.accounts.models import Invitation, Membership, Project, Role
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.api.fields import Body, Flag, Paging, Shown, Text
from evalapp.audit.models import AuditEvent


class ProjectSerializer(Shown):
    class Meta:
        model = Project
        fields = ("slug", "name", "description", "is_demonstration", "created_at")


class ProjectBody(Body):
    name = Text(max_length=120)
    description = Text(max_length=2_000, allow_blank=True, default="")


class ProjectSettingsSerializer(Shown):
    class Meta:
        model = Project
        fields = ("name", "description", "shows_reviewer_names")


class ProjectSettingsBody(ProjectBody):
    description = Text(max_length=2_000, allow_blank=True)
    shows_reviewer_names = Flag(
        help_text="Show reviewers by name: to each other in discussions, and to managers. Else pseudonyms."
    )


class MyMembershipSerializer(serializers.Serializer[Any]):
    project = ProjectSerializer()
    role = serializers.ChoiceField(choices=Role.choices)
    may = serializers.SerializerMethodField(help_text="Names of the permissions that the role has.")

    def get_may(self, membership: Membership) -> list[str]:
        permissions = PERMISSIONS.get(membership.role, frozenset())
        return [permission.name for permission in Permission if permission in permissions]


class MeSerializer(serializers.Serializer[Any]):
    """The person whose token this is."""

    id = serializers.IntegerField(source="pk")
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    memberships = MyMembershipSerializer(many=True, source="projects_of_person")


class MemberSerializer(serializers.Serializer[Any]):
    """A member; ``person`` is the id that campaigns take for a reviewer."""

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


class InvitationSerializer(Shown):
    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "expires_at", "created_at")


class MadeInvitationSerializer(serializers.Serializer[Any]):
    """``link`` lets whoever has it in, as the role says, until it is used, withdrawn or out of date."""

    invitation = InvitationSerializer()
    link = serializers.CharField()


class AuditQuery(Paging):
    actor = serializers.IntegerField(min_value=1, required=False, default=None)
    object_type = serializers.CharField(max_length=40, required=False, default="")
    object = serializers.IntegerField(min_value=1, required=False, default=None)
    action = serializers.CharField(
        max_length=60, required=False, default="", help_text="“member.” takes all of its kind."
    )


class AuditEventSerializer(Shown):
    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "actor_id", "actor_label", "action", "object_type", "object_id", "object_label", "data",
        )  # fmt: skip
