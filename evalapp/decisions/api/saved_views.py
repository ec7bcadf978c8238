"""Views of comparisons by name."""

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Flag, Id, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.campaigns.models import CampaignState
from evalapp.core.http import get_or_missing
from evalapp.decisions.models import SavedView
from evalapp.decisions.saved_views import change_view, delete_view, save_view, views_for


class SavedViewSerializer(ReadOnlySerializer):
    """A filtered comparison; ``query`` is the part of its URL after “?”."""

    owner = serializers.CharField(read_only=True)

    class Meta:
        model = SavedView
        fields = ("id", "campaign", "name", "query", "is_shared", "owner", "created_at")


class SavedViewBody(Body):
    campaign = Id()
    name = Text(max_length=80)
    query = Text(
        max_length=4_000,
        help_text="The filter as in the URL of the results: “candidates=3&field.segment=retail”.",
    )
    is_shared = Flag(default=False)


class SavedViewChange(Body):
    name = Text(max_length=80)
    is_shared = Flag()


class SavedViewRoutes(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def view(self, view_id: int) -> SavedView:
        """Somebody else's private view is not found."""
        return get_or_missing(views_for(self.person, self.project), pk=view_id)


@route("views/", "api_saved_views")
class SavedViewList(SavedViewRoutes):
    @operation("List saved views", result=SavedViewSerializer, paged=True)
    def get(self) -> object:
        """Your own, and those shared with the project."""
        return self.page(views_for(self.person, self.project))

    @operation("Save a view", body=SavedViewBody, result=SavedViewSerializer, status=201)
    def post(self) -> object:
        """The filters must use existing values."""
        values = self.body()
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT).select_related("project")
        campaign = chosen(opened, values.pop("campaign"), "campaign", "opened campaign")
        return save_view(campaign=campaign, by=self.person, **values)


@route("views/<int:view_id>/", "api_saved_view")
class SavedViewDetail(SavedViewRoutes):
    @operation("Read a saved view", result=SavedViewSerializer)
    def get(self, view_id: int) -> object:
        return self.view(view_id)

    @operation("Rename or share a view", body=SavedViewChange, result=SavedViewSerializer)
    def patch(self, view_id: int) -> object:
        """Fields that are left out are unchanged."""
        view = self.view(view_id)
        current = {"name": view.name, "is_shared": view.is_shared}
        return change_view(view=view, by=self.person, **self.changes(current))

    @operation("Delete a saved view", status=204)
    def delete(self, view_id: int) -> None:
        delete_view(view=self.view(view_id), by=self.person)
