"""Prices of a million tokens, per project or version, and of an hour of training."""

from decimal import Decimal

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.registry.models import MachinePrice, ModelVersion, TokenPrice

HIGHEST_PRICE = Decimal(1_000_000)
PLACES = 6
_STEP = Decimal(1).scaleb(-PLACES)


def prices_of(project: Project) -> dict[int | None, TokenPrice]:
    """The project's prices by model version id; None is the price of all other versions."""
    return {price.model_version_id: price for price in project.token_prices.select_related("model_version")}


@transaction.atomic
def set_price(
    *,
    project: Project,
    model_version: ModelVersion | None,
    input_price: Decimal,
    output_price: Decimal,
    currency: str,
    by: User,
) -> TokenPrice:
    """Set the price of a million prompt and answer tokens, for a version or (None) for all others.

    Replaces an existing price. Raises InvalidError naming every invalid field.
    """
    fields: dict[str, list[str]] = {}
    for name, asked in (("input_price", input_price), ("output_price", output_price)):
        if not asked.is_finite() or not 0 <= asked <= HIGHEST_PRICE:
            fields[name] = [f"Give a price from 0 to {HIGHEST_PRICE:,} for a million tokens."]
    currency = currency.strip().upper()
    fields |= _problem_of_currency(currency)
    if model_version is not None and model_version.project_id != project.pk:
        fields["model_version"] = ["This version belongs to another project."]
    _require_none(fields)
    price, _ = TokenPrice.objects.update_or_create(
        project=project,
        model_version=model_version,
        defaults={
            "input_price": input_price.quantize(_STEP),
            "output_price": output_price.quantize(_STEP),
            "currency": currency,
            "set_by": by,
        },
    )
    data = {"input": f"{price.input_price:f}", "output": f"{price.output_price:f}", "currency": currency}
    record("token_price.set", by=by, obj=price, project=project, data=data)
    return price


@transaction.atomic
def remove_price(*, price: TokenPrice, by: User) -> None:
    """Delete a price; costs that used it become undefined or use the project's price."""
    record("token_price.removed", by=by, obj=price, project=price.project)
    price.delete()


def machine_price_of(project: Project) -> MachinePrice | None:
    """The price of an hour of training, or None."""
    return MachinePrice.objects.filter(project=project).first()


@transaction.atomic
def set_machine_price(*, project: Project, hour_price: Decimal, currency: str, by: User) -> MachinePrice:
    """Set the price of an hour of training; replaces an existing one.

    Raises InvalidError naming every invalid field.
    """
    fields: dict[str, list[str]] = {}
    if not hour_price.is_finite() or not 0 <= hour_price <= HIGHEST_PRICE:
        fields["hour_price"] = [f"Give a price from 0 to {HIGHEST_PRICE:,} for an hour."]
    currency = currency.strip().upper()
    _require_none(fields | _problem_of_currency(currency))
    price, _ = MachinePrice.objects.update_or_create(
        project=project,
        defaults={"hour_price": hour_price.quantize(_STEP), "currency": currency, "set_by": by},
    )
    data = {"hour": f"{price.hour_price:f}", "currency": currency}
    record("machine_price.set", by=by, obj=price, project=project, data=data)
    return price


@transaction.atomic
def remove_machine_price(*, price: MachinePrice, by: User) -> None:
    """Delete the price; training costs then become undefined."""
    record("machine_price.removed", by=by, obj=price, project=price.project)
    price.delete()


def _problem_of_currency(currency: str) -> dict[str, list[str]]:
    if len(currency) == 3 and currency.isascii() and currency.isalpha():
        return {}
    return {"currency": ["Give the currency in three letters, such as EUR."]}


def _require_none(fields: dict[str, list[str]]) -> None:
    if fields:
        raise InvalidError("The price was not saved; see the fields.", fields=fields)
