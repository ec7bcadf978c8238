"""Creates campaigns over items that the disagreement finder picked, and defines their limits.

Picking the worst outputs biases means: in a second review they score better (regression to the mean). So no
means of candidates are reported here; reviews of single outputs are as valid as anywhere.
"""

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import Finder, FinderResult
from evalapp.audit.services import record
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign, Item
from evalapp.campaigns.queries import possible_reviewers
from evalapp.campaigns.services import create_campaign
from evalapp.core.errors import InvalidError
from evalapp.core.names import LONGEST_NAME

WHY_NO_MEAN = "the items were picked for their scores, so their mean says nothing about the candidate"
_NAMES_TRIED = 100
_LONGEST_REASON = 300


def why_no_means(scores: CampaignScores) -> str:
    """Why no candidate means are reported for this campaign; empty if they are."""
    return WHY_NO_MEAN if scores.campaign.picked_because else ""


@transaction.atomic
def pick_found(*, wanted: Finder, found: FinderResult, view: ComparisonFilter, by: User | None) -> Campaign:
    """Create a draft campaign over the items found in a view of a campaign, with that campaign's design,
    marked as picked.

    Its reviewers are those of the source campaign who may still review; edit the draft for others. Raises
    InvalidError if no item was found, or no reviewer is left.
    """
    source = view.campaign
    because = f"{wanted.describe()}, in {source}{view.words_in_brackets}"[:_LONGEST_REASON]
    items = Item.objects.filter(campaign=source, outputs__in=list(found.item_output_ids))
    examples = sorted(set(items.values_list("example", flat=True)))
    if not examples:
        raise InvalidError("No output meets both conditions, so there is nothing to pick. Loosen them.")
    there = possible_reviewers(source.project)
    people = list(there.filter(pk__in=source.reviewers.filter(left_at=None).values("user"))) or list(there)
    if not people:
        raise InvalidError("Nobody in this project may review. Invite reviewers first.")
    design = CampaignDesign(
        name=_free_name(source),
        rubric_version=source.rubric_version,
        dataset_version=source.dataset_version,
        split=source.split,
        candidates=[each.model_version for each in source.candidates.select_related("model_version")],
        overlap=min(source.overlap, len(people)),
        reviewers=people,
        instructions=source.instructions,
        is_blind=source.is_blind,
        shows_reference=source.shows_reference,
        allows_corrections=source.allows_corrections,
        # Every picked item has all its outputs; other rows of the data may lack some.
        leaves_out_incomplete=True,
    )
    campaign = create_campaign(project=source.project, design=design, by=by)
    Campaign.objects.filter(pk=campaign.pk).update(picked_examples=examples, picked_because=because)
    campaign.refresh_from_db()
    data = {"campaign": source.pk, "items": len(examples), "because": because}
    record("campaign.picked", by=by, obj=campaign, project=source.project, data=data)
    return campaign


def _free_name(source: Campaign) -> str:
    taken = set(source.project.campaigns.values_list("name", flat=True))
    plain = f"Picked from {source.name}"[: LONGEST_NAME - 6]
    names = [plain, *(f"{plain} ({number})" for number in range(2, _NAMES_TRIED))]
    free = next((name for name in names if name not in taken), None)
    if free is None:
        raise InvalidError(f"Too many campaigns are named “{plain}”. Rename or discard some.")
    return free
