"""Index of the models, so that Django finds those of every package. Define none here."""

from evalapp.accounts.models import ApiToken, Invitation, Membership, Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import (
    CalibrationNote,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    GoldAnswer,
    Item,
    ItemOutput,
    Place,
    Skip,
)
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example
from evalapp.decisions.models import Decision, LeftFiles
from evalapp.demo.models import Demonstration
from evalapp.exports.models import Export, ExportRow
from evalapp.jobs.models import Job, JobEvent
from evalapp.registry.models import Model, ModelVersion
from evalapp.reviews.models import Correction, Draft, Review, ReviewRevision, ReviewTag, Score, TextAnswer
from evalapp.rubrics.models import Criterion, ReasonTag, Rubric, RubricVersion
from evalapp.runs.models import Output, Run, RunCandidate, TrainingPoint
from evalapp.scoring.models import CorpusMetric, MetricResult, RuleCheck

__all__ = [
    "ApiToken", "AuditEvent", "CalibrationNote", "Campaign", "CampaignCandidate", "CampaignReviewer", "CorpusMetric",
    "Correction", "Criterion", "Dataset", "DatasetImport", "DatasetVersion", "Decision", "Demonstration", "Draft", "Example", "Export",
    "ExportRow", "GoldAnswer", "Invitation", "Item", "ItemOutput", "Job", "JobEvent", "LeftFiles", "Membership", "MetricResult",
    "Model", "ModelVersion", "Output", "Place", "Project", "ReasonTag", "Review", "ReviewRevision",
    "ReviewTag", "Rubric", "RubricVersion", "RuleCheck", "Run", "RunCandidate", "Score", "Skip",
    "TextAnswer", "TrainingPoint", "User",
]  # fmt: skip
