"""Aliases set by hand, and their limits where a gate decides."""

from django.db import transaction

from evalapp.accounts.models import Membership, Project, User
from evalapp.accounts.permissions import Permission, allows
from evalapp.audit.queries import events_of
from evalapp.core.errors import ConflictError, NotAllowedError
from evalapp.gates.models import CampaignGate
from evalapp.gates.queries import deciding_gate
from evalapp.registry.models import EXTERNAL_KINDS, ModelAlias, ModelVersion
from evalapp.registry.services import set_alias


@transaction.atomic
def set_alias_by_hand(*, version: ModelVersion, alias: str, by: User) -> None:
    """As `set_alias`, but only people who may decide can change the champion; and once a campaign of the
    project has a gate, a champion is made by signing.

    By hand it remains possible to return to an earlier champion and, without a champion, to set a first one
    that `_may_be_first` allows. Raises InvalidError for an unknown alias, NotAllowedError for people who may
    not decide, ConflictError if it would bypass a gate.
    """
    Project.objects.select_for_update().get(pk=version.project_id)
    version.refresh_from_db(fields=["alias"])
    if ModelAlias.CHAMPION in {alias, version.alias} and alias != version.alias:
        _require_decider(version, by)
        _require_no_gate(version=version, makes_champion=alias == ModelAlias.CHAMPION)
    set_alias(version=version, alias=alias, by=by)


def _require_decider(version: ModelVersion, by: User) -> None:
    membership = Membership.objects.filter(project=version.project_id, user=by).first()
    if membership is None or not allows(membership.role, Permission.DECIDE):
        raise NotAllowedError(
            f"Setting the champion is a decision, and your role here may not {Permission.DECIDE.value}. Set"
            " it as challenger, or ask a manager or an owner of the project."
        )


def _require_no_gate(*, version: ModelVersion, makes_champion: bool) -> None:
    campaign_gate = deciding_gate(version.project_id)
    if campaign_gate is None:
        return
    gate = f"the gate “{campaign_gate.gate}” (campaign {campaign_gate.campaign.name})"
    if not makes_champion:
        raise ConflictError(
            f"{version.label} is the champion, and this project decides by {gate}: it stays champion until"
            " another version is signed as “release”, or an earlier champion is set again."
        )
    set_before = events_of(version.project_id, object_type="modelversion", object_id=version.pk)
    if set_before.filter(action="model.alias_set", data__alias=ModelAlias.CHAMPION).exists():
        return
    others = ModelVersion.objects.filter(project=version.project_id, alias=ModelAlias.CHAMPION)
    if not others.exists() and _may_be_first(version):
        return
    raise ConflictError(
        f"This project decides by {gate}: {version.label} becomes champion when somebody signs a gate"
        " evaluation with the verdict “release”. By hand you can only set an earlier champion again or,"
        " where there is no champion yet, a base, a prompt, an API model or imported outputs that no gate"
        " decides on."
    )


def _may_be_first(version: ModelVersion) -> bool:
    """Whether the version was not trained, as far as is known. This is unknown for API models and imported
    outputs, so no gate may decide on them; being the champion that a gate compares others with is allowed.
    """
    if version.kind not in EXTERNAL_KINDS:
        return not version.is_tuned
    judging = CampaignGate.objects.filter(is_exploratory=False, campaign__candidates__model_version=version)
    return not judging.exclude(champion=version).exists()
