"""The prices that costs rest on: of tokens, and of the machine that trains."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Id, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.registry.models import MachinePrice, ModelVersion
from evalapp.registry.prices import remove_machine_price, remove_price, set_machine_price, set_price


class TokenPriceSerializer(serializers.Serializer[Any]):
    """The price of a million tokens; without a model version, for every version that has no price
    of its own.
    """

    id = serializers.IntegerField()
    model_version = serializers.IntegerField(source="model_version_id", allow_null=True)
    input_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    output_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()


class TokenPriceBody(Body):
    model_version = Id(allow_null=True, default=None)
    input_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    output_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    currency = Text(max_length=3)


class MachinePriceSerializer(serializers.Serializer[Any]):
    """The price of an hour of training."""

    hour_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()


class MachinePriceBody(Body):
    hour_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    currency = Text(max_length=3)


class TokenPriceRoutes(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.EDIT_MODELS


@route("models/prices/", "api_token_prices")
class TokenPriceList(TokenPriceRoutes):
    @operation("List token prices", result=TokenPriceSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.token_prices.all())

    @operation("Set a token price", body=TokenPriceBody, result=TokenPriceSerializer)
    def put(self) -> object:
        """Replaces an existing price of the same version."""
        values = self.body()
        wanted = values.pop("model_version")
        versions = ModelVersion.objects.filter(project=self.project)
        version = chosen(versions, wanted, "model_version", "model version") if wanted is not None else None
        return set_price(project=self.project, model_version=version, by=self.person, **values)


@route("models/prices/<int:price_id>/", "api_token_price")
class TokenPriceDetail(TokenPriceRoutes):
    @operation("Remove a token price", status=204)
    def delete(self, price_id: int) -> None:
        price = get_or_missing(
            self.project.token_prices.select_related("project", "model_version"), pk=price_id
        )
        remove_price(price=price, by=self.person)


@route("models/prices/machine/", "api_machine_price")
class MachinePriceDetail(TokenPriceRoutes):
    @operation("Read the price of training", result=MachinePriceSerializer)
    def get(self) -> object:
        """404 if none is set."""
        return self._price()

    @operation("Set the price of training", body=MachinePriceBody, result=MachinePriceSerializer)
    def put(self) -> object:
        """Sets the price of an hour on the machine that trains, and replaces an existing one."""
        return set_machine_price(project=self.project, by=self.person, **self.body())

    @operation("Remove the price of training", status=204)
    def delete(self) -> None:
        remove_machine_price(price=self._price(), by=self.person)

    def _price(self) -> MachinePrice:
        return get_or_missing(MachinePrice.objects.filter(project=self.project).select_related("project"))
