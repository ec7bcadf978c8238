from evalapp.accounts.permissions import Permission
from evalapp.api.operations import operation
from evalapp.api.serializers.contamination import (
    ContaminationBody,
    ContaminationDecisionSerializer,
    ContaminationSerializer,
)
from evalapp.api.views.datasets import DatasetView
from evalapp.runs.contamination_decisions import allow_contamination, rows_hash_of, standing_decision
from evalapp.runs.contamination_guard import known_leaks
from evalapp.runs.contamination_pairs import named_pairs


class Contamination(DatasetView):
    required_permission = Permission.VIEW_DATA
    post_permission = Permission.ALLOW_CONTAMINATION

    @operation("Read the contamination check", result=ContaminationSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """What a training on the version would be refused for, and owners' decisions on it."""
        version = self.version(dataset_id, number)
        found = known_leaks(version)
        leaks = found.leaks if found is not None else {}
        pairs = leaks.get("pairs", [])
        return {
            "is_known": found is not None,
            "sentences": leaks.get("sentences", []),
            "pairs": named_pairs(version, pairs),
            "rows_hash": rows_hash_of(pairs),
            "training_rows": leaks.get("training_rows"),
            "evaluation_rows": leaks.get("evaluation_rows"),
            "standing": standing_decision(version, found),
            "decisions": version.contamination_decisions.select_related(
                "decided_by", "dataset_version__dataset"
            ).order_by("-pk"),
        }

    @operation(
        "Allow training on contaminated rows",
        body=ContaminationBody,
        result=ContaminationDecisionSerializer,
        status=201,
    )
    def post(self, dataset_id: int, number: int) -> object:
        """An owner's, recorded for good: trainings on the version then go on in spite of exactly these rows. It is
        told on what they make, and a gate still fails a candidate on rows that it was trained on.
        """
        version = self.version(dataset_id, number)
        return allow_contamination(version=version, by=self.person, **self.body())
