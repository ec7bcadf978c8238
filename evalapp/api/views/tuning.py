from typing import Any

from evalapp.analysis.tuning import campaigns_between, chosen_campaign, chosen_tuned, contest_filter
from evalapp.analysis.tuning_evidence import Evidence, Spent, evidence_of
from evalapp.analysis.tuning_steps import steps_to_answer
from evalapp.api.operations import operation
from evalapp.api.serializers.tuning import TuningQuery, TuningSerializer
from evalapp.api.views.analysis import AnalysisView, require_no_problem


class TuningOrPrompt(AnalysisView):
    @operation("Ask whether tuning is better than a prompt", query=TuningQuery, result=TuningSerializer)
    def get(self) -> object:
        """A tuned candidate less each prompt over its base, on the items that they share in one campaign: by
        criterion and in total with intervals, by metric, and what each costs; with the answer in words, and what is
        left to do where there is none.
        """
        tuned = chosen_tuned(self.project, self.query["candidate"])
        campaigns = list(campaigns_between(tuned)) if tuned is not None else []
        campaign = chosen_campaign(campaigns, self.query["campaign"])
        found: Evidence | None = None
        if tuned is not None and campaign is not None:
            wanted = require_no_problem(contest_filter(campaign, tuned, self.query["view"]))
            found = evidence_of(wanted, tuned, reviewer_type=self.reviewer_type(), reader_id=self.person.pk)
        contest = found.contest if found is not None else None
        return {
            "campaign": campaign.pk if campaign is not None else None,
            "candidate": contest.tuned.candidate if contest is not None else None,
            "answer": contest.answer._asdict() if contest is not None else None,
            "against": contest.against if contest is not None else [],
            "usage": found.usage if found is not None and contest is not None else [],
            **_spent(found.spent if found is not None else None),
            "coverage": found.coverage if found is not None else None,
            "standing": found.standing if found is not None else None,
            "steps": steps_to_answer(self.project, tuned) if contest is None else [],
        }


def _spent(spent: Spent | None) -> dict[str, Any]:
    if spent is None:
        return {"decoding": None, "training": None}
    decoding = spent.decoding
    return {
        "decoding": {
            "is_same": decoding.is_same,
            "differences": [
                {"setting": each.name, "values": [value for _, value in each.values]}
                for each in decoding.differences
            ],
            "unknown": [each.pk for each in decoding.unknown],
            "shared": decoding.shared,
        },
        "training": {
            **spent.training._asdict(),
            "earned_back": [
                {"candidate": each.candidate.pk, "answers": each.answers} for each in spent.earned_back
            ],
        },
    }
