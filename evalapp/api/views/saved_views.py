"""Views of comparisons by name, and the prices that their costs rest on."""

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.saved_views import (
    MachinePriceBody,
    MachinePriceSerializer,
    SavedViewBody,
    SavedViewChange,
    SavedViewSerializer,
    TokenPriceBody,
    TokenPriceSerializer,
)
from evalapp.campaigns.models import CampaignState
from evalapp.core.http import get_or_missing
from evalapp.decisions.models import SavedView
from evalapp.decisions.saved_views import change_view, delete_view, save_view, views_for
from evalapp.registry.models import MachinePrice, ModelVersion
from evalapp.registry.prices import (
    remove_machine_price,
    remove_price,
    set_machine_price,
    set_price,
)


class SavedViewRoutes(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def view(self, view_id: int) -> SavedView:
        """Somebody else's private view is not there."""
        return get_or_missing(views_for(self.person, self.project), pk=view_id)


class SavedViewList(SavedViewRoutes):
    @operation("List saved views", result=SavedViewSerializer, paged=True)
    def get(self) -> object:
        """One's own, and those that are shared with the project."""
        return self.page(views_for(self.person, self.project))

    @operation("Save a view", body=SavedViewBody, result=SavedViewSerializer, status=201)
    def post(self) -> object:
        """The filters must name what is there."""
        values = self.body()
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT).select_related("project")
        campaign = chosen(opened, values.pop("campaign"), "campaign", "opened campaign")
        return save_view(campaign=campaign, by=self.person, **values)


class SavedViewDetail(SavedViewRoutes):
    @operation("Read a saved view", result=SavedViewSerializer)
    def get(self, view_id: int) -> object:
        return self.view(view_id)

    @operation("Rename or share a view", body=SavedViewChange, result=SavedViewSerializer)
    def put(self, view_id: int) -> object:
        view = self.view(view_id)
        return change_view(view=view, by=self.person, **self.body())

    @operation("Delete a saved view", status=204)
    def delete(self, view_id: int) -> None:
        delete_view(view=self.view(view_id), by=self.person)


class TokenPriceRoutes(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.EDIT_MODELS


class TokenPriceList(TokenPriceRoutes):
    @operation("List token prices", result=TokenPriceSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.token_prices.all())

    @operation("Set a token price", body=TokenPriceBody, result=TokenPriceSerializer)
    def put(self) -> object:
        """A price that is there already for the same version is replaced."""
        values = self.body()
        wanted = values.pop("model_version")
        versions = ModelVersion.objects.filter(project=self.project)
        version = chosen(versions, wanted, "model_version", "model version") if wanted is not None else None
        return set_price(project=self.project, model_version=version, by=self.person, **values)


class TokenPriceDetail(TokenPriceRoutes):
    @operation("Remove a token price", status=204)
    def delete(self, price_id: int) -> None:
        price = get_or_missing(
            self.project.token_prices.select_related("project", "model_version"), pk=price_id
        )
        remove_price(price=price, by=self.person)


class MachinePriceDetail(TokenPriceRoutes):
    @operation("Read the price of training", result=MachinePriceSerializer)
    def get(self) -> object:
        """404 where none is set."""
        return self._price()

    @operation("Set the price of training", body=MachinePriceBody, result=MachinePriceSerializer)
    def put(self) -> object:
        """What an hour of the machine that trains costs; what was set before is replaced."""
        return set_machine_price(project=self.project, by=self.person, **self.body())

    @operation("Remove the price of training", status=204)
    def delete(self) -> None:
        remove_machine_price(price=self._price(), by=self.person)

    def _price(self) -> MachinePrice:
        return get_or_missing(MachinePrice.objects.filter(project=self.project).select_related("project"))
