"""Where a judgement is sent back from: what differs from a review."""

from typing import Any

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.adjudication.rights import require_done
from evalapp.adjudication.send_backs import SendBackDesk
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.core.errors import MissingError
from evalapp.judgements.checks import candidate_names, verdict_by_name
from evalapp.judgements.models import Judgement, JudgementSendBack
from evalapp.judgements.queries import verdict_of


class JudgementDesk(SendBackDesk):
    kind = JudgementSendBack
    listed = "judgement_send_backs"
    withdrawal = "judgement_send_back_withdraw"
    results = "pair_results"
    source = "verdicts_apart"
    source_words = "See where verdicts differ"
    said = "judgements/said.html"

    def require(self, person: User, campaign: Campaign, given: Any = None) -> None:
        if not campaign.compares:
            raise MissingError("This campaign rates answers one by one: send back its reviews.")
        require_done(campaign, person)

    def given(self, campaign: Campaign) -> QuerySet[Any]:
        judgements = campaign.judgements.filter(purpose=Purpose.REVIEW)
        return judgements.select_related("comparison__item__example", "reviewer")

    def shown(self, campaign: Campaign, given: Judgement) -> dict[str, Any]:
        names = candidate_names(campaign)
        entries = given.item.outputs.select_related("candidate")
        owners = {entry.pk: entry.candidate.model_version_id for entry in entries}
        letters = [names[owners[pk]] for pk in given.outputs]
        return {"verdict": verdict_by_name(verdict_of(given), letters)}


JUDGEMENTS = JudgementDesk()
