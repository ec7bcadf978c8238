"""Index of the models, so that Django finds those of every package. Define none here."""

from evalapp.accounts.models import ApiToken, Invitation, Membership, Project, User
from evalapp.adjudication.models import Adjudication, AdjudicationRevision, Appeal, DiscussionMessage
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import (
    CalibrationNote,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    Comparison,
    GoldAnswer,
    Item,
    ItemOutput,
    Place,
    Skip,
)
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example
from evalapp.decisions.models import Decision, LeftFiles, SavedView
from evalapp.demo.models import Demonstration
from evalapp.exports.models import Export, ExportRow
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation, Ledger
from evalapp.jobs.models import Job, JobEvent
from evalapp.judgements.models import (
    GoldVerdict,
    Judgement,
    JudgementDraft,
    JudgementRevision,
    JudgementSendBack,
)
from evalapp.ratings.models import RatingsImport, RatingsProblem, RecordedReviewer
from evalapp.registry.models import Model, ModelVersion, TokenPrice
from evalapp.reports.models import Report
from evalapp.reviews.models import (
    ClosingAnswer,
    Correction,
    Draft,
    Flag,
    Review,
    ReviewRevision,
    ReviewTag,
    Score,
    SendBack,
    SpanAnswer,
    TextAnswer,
)
from evalapp.rubrics.models import Criterion, ReasonTag, Rubric, RubricVersion
from evalapp.runs.models import Output, Run, RunCandidate, TrainingPoint
from evalapp.scoring.models import CorpusMetric, MetricResult, RuleCheck
from evalapp.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Adjudication", "AdjudicationRevision", "ApiToken", "Appeal", "AuditEvent", "CalibrationNote", "Campaign", "CampaignCandidate", "CampaignGate", "CampaignReviewer", "ClosingAnswer", "Comparison", "CorpusMetric",
    "Correction", "Criterion", "Dataset", "DatasetImport", "DatasetVersion", "Decision", "Demonstration",
    "DiscussionMessage", "Draft", "Example", "Export",
    "ExportRow", "Flag", "Gate", "GateEvaluation", "GoldAnswer", "GoldVerdict", "Invitation", "Item", "ItemOutput", "Job", "JobEvent", "Judgement", "JudgementDraft",
    "JudgementRevision", "JudgementSendBack", "Ledger", "LeftFiles", "Membership", "MetricResult",
    "Model", "ModelVersion", "Output", "Place", "Project", "RatingsImport", "RatingsProblem",
    "ReasonTag", "RecordedReviewer", "Report", "Review", "ReviewRevision",
    "ReviewTag", "Rubric", "RubricVersion", "RuleCheck", "Run", "RunCandidate", "SavedView", "Score",
    "SendBack", "Skip",
    "SpanAnswer", "TextAnswer", "TokenPrice", "TrainingPoint", "User", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
]  # fmt: skip
