"""Evidence on a model version: human scores and metrics from campaigns, gates and decisions."""

from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison
from evalapp.analysis.pairwise.pairs import load_preferences, pair_results
from evalapp.analysis.stored.comparison_result import comparison_of
from evalapp.analysis.stored.stored_results import Freshness
from evalapp.audit.models import AuditEvent
from evalapp.audit.queries import events_of
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.decisions.models import Decision
from evalapp.gates.models import GateEvaluation
from evalapp.measure import Measure
from evalapp.registry.models import ModelVersion

# Limited because each campaign may take a second during the page request.
SHOWN_CAMPAIGNS = 4


class Preference(NamedTuple):
    """The version's result against one other candidate in a comparison campaign."""

    other: str
    wins: int
    losses: int
    ties: int


class CampaignEvidence(NamedTuple):
    """A campaign's evidence on the version. ``row`` and ``comparison`` are None and ``preferences`` empty if
    the reader still reviews the campaign blind. ``freshness`` is the age of a large campaign's stored result.
    """

    campaign: Campaign
    comparison: Comparison | None
    row: CandidateRow | None
    preferences: list[Preference]
    is_withheld: bool
    freshness: Freshness | None = None

    @property
    def metrics(self) -> list["NamedMeasure"]:
        """The version's metrics, with rule checks as shares that passed."""
        if self.row is None or self.comparison is None:
            return []
        labels = {metric.name: metric.label for metric in self.comparison.metrics}
        rules = {rule.pk: rule.name for rule in self.comparison.rules}
        return [
            *(
                NamedMeasure(labels.get(name, name), each, is_share=False)
                for name, each in self.row.metrics.items()
            ),
            *(
                NamedMeasure(f"{labels.get(name, name)} of all answers together", each, is_share=False)
                for name, each in self.row.corpus.items()
            ),
            *(
                NamedMeasure(f"Passes “{rules[pk]}”", measure, is_share=True)
                for pk, measure in self.row.rules.items()
            ),
        ]


class NamedMeasure(NamedTuple):
    label: str
    measure: Measure
    is_share: bool


class AliasEvent(NamedTuple):
    """An alias given to or taken from the version, with the decision behind it, if any."""

    event: AuditEvent
    alias: str
    decision: Decision | None


class Evidence(NamedTuple):
    """All evidence on a version; ``more`` is the number of older campaigns that are not shown."""

    campaigns: list[CampaignEvidence]
    more: int
    decisions: list[Decision]
    evaluations: list[GateEvaluation]
    aliases: list[AliasEvent]

    @property
    def withheld(self) -> int:
        return sum(each.is_withheld for each in self.campaigns)


def evidence_of(version: ModelVersion, *, reader: User | None) -> Evidence:
    """All evidence, newest first, without what would unblind the reader. ``reader`` None: unrestricted, for
    the operator.
    """
    campaigns = (
        Campaign.objects.filter(candidates__model_version=version)
        .exclude(state=CampaignState.DRAFT)
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .order_by("-pk")
    )
    shown = [_of_campaign(campaign, version, reader) for campaign in campaigns[:SHOWN_CAMPAIGNS]]
    withheld = {each.campaign.pk for each in shown if each.is_withheld}
    decisions = list(
        version.decisions.exclude(campaign__in=withheld)
        .select_related("campaign", "decided_by", "evaluation__campaign_gate__gate")
        .order_by("-pk")
    )
    evaluations = (
        GateEvaluation.objects.filter(candidate=version)
        .exclude(campaign_gate__campaign__in=withheld)
        .select_related("campaign_gate__gate", "campaign_gate__campaign")
        .defer("reviews")
        .order_by("-pk")[:SHOWN_CAMPAIGNS]
    )
    more = max(0, campaigns.count() - len(shown))
    return Evidence(shown, more, decisions, list(evaluations), _aliases(version, decisions))


def _of_campaign(campaign: Campaign, version: ModelVersion, reader: User | None) -> CampaignEvidence:
    if reader is not None and is_reviewing_blind(campaign, reader):
        return CampaignEvidence(campaign, None, None, [], is_withheld=True)
    if campaign.compares:
        return CampaignEvidence(campaign, None, None, _preferences(campaign, version), is_withheld=False)
    found = comparison_of(campaign)
    rows = found.comparison.rows
    row = next((row for row in rows if row.candidate.model_version_id == version.pk), None)
    return CampaignEvidence(campaign, found.comparison, row, [], is_withheld=False, freshness=found.freshness)


def _preferences(campaign: Campaign, version: ModelVersion) -> list[Preference]:
    found = []
    for pair in pair_results(load_preferences(campaign)).pairs:
        first, second = pair.first.model_version, pair.second.model_version
        if version.pk == first.pk:
            found.append(Preference(second.label, pair.wins, pair.losses, pair.ties))
        elif version.pk == second.pk:
            found.append(Preference(first.label, pair.losses, pair.wins, pair.ties))
    return found


def _aliases(version: ModelVersion, decisions: list[Decision]) -> list[AliasEvent]:
    events = events_of(
        version.project_id, object_type="modelversion", object_id=version.pk, action="model.alias_set"
    )
    return [
        AliasEvent(event, str(event.data.get("alias", "")), _behind(event, decisions))
        for event in events.order_by("-pk")
    ]


def _behind(event: AuditEvent, decisions: list[Decision]) -> Decision | None:
    return next((decision for decision in decisions if decision.pk == event.data.get("decision")), None)
