"""An alias given by hand: what is no decision may not stand in for one where a gate decides."""

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.queries import events_of
from evalapp.core.errors import ConflictError
from evalapp.gates.models import CampaignGate
from evalapp.registry.models import ModelAlias, ModelKind, ModelVersion
from evalapp.registry.services import set_alias


@transaction.atomic
def set_alias_by_hand(*, version: ModelVersion, alias: str, by: User) -> None:
    """As `set_alias`, but once a campaign of the project took a gate, a champion is made by signing.

    By hand there remain the way back to a version that was champion before, and, where there is no
    champion yet, a first one that is not tuned. Raises InvalidError for an alias that does not exist,
    ConflictError past a gate.
    """
    Project.objects.select_for_update().get(pk=version.project_id)
    version.refresh_from_db(fields=["alias"])
    if ModelAlias.CHAMPION in {alias, version.alias} and alias != version.alias:
        _require_no_gate(version=version, crowns=alias == ModelAlias.CHAMPION)
    set_alias(version=version, alias=alias, by=by)


def _require_no_gate(*, version: ModelVersion, crowns: bool) -> None:
    taken = (
        CampaignGate.objects.filter(campaign__project=version.project_id, is_exploratory=False)
        .select_related("gate", "campaign")
        .order_by("-id")
        .first()
    )
    if taken is None:
        return
    gate = f"the gate “{taken.gate}” (campaign {taken.campaign.name})"
    if not crowns:
        raise ConflictError(
            f"{version.label} is the champion, and this project decides by {gate}: it stays so until another "
            "is signed as “ship”, or an earlier champion is set again."
        )
    set_before = events_of(version.project_id, object_type="modelversion", object_id=version.pk)
    if set_before.filter(action="model.alias_set", data__alias=ModelAlias.CHAMPION).exists():
        return
    others = ModelVersion.objects.filter(project=version.project_id, alias=ModelAlias.CHAMPION)
    if not others.exists() and version.kind != ModelKind.LORA:
        return
    raise ConflictError(
        f"This project decides by {gate}: {version.label} becomes champion when somebody signs a look at a "
        "gate that says “ship”. By hand, only one that was champion before is set again."
    )
