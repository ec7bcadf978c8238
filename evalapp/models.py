"""Index of the models, so that Django finds those of every package. Define none here."""

from evalapp.accounts.models import ApiToken, Invitation, Membership, OneTimeLink, Project, User
from evalapp.adjudication.models import (
    Adjudication,
    AdjudicationRevision,
    Appeal,
    ComparisonRuling,
    ComparisonRulingRevision,
    DiscussionMessage,
)
from evalapp.analysis.models import StoredAnalysis
from evalapp.artifacts.models import HubDownload, MergedExport, SetAside
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
from evalapp.model_judges.models import ModelJudge, ModelVerdict
from evalapp.monitoring.models import (
    Alert,
    Draw,
    Kpi,
    ProductionOutput,
    RetrainProposal,
    SampledOutput,
    Stream,
    StreamReviewer,
)
from evalapp.ratings.models import RatingsImport, RatingsProblem, RecordedReviewer
from evalapp.registry.models import Endpoint, MachinePrice, Model, ModelVersion, TokenPrice
from evalapp.reports.models import Report
from evalapp.reviews.models import (
    ClosingAnswer,
    Correction,
    Draft,
    Flag,
    Review,
    ReviewCount,
    ReviewRevision,
    ReviewTag,
    Score,
    ScoreCount,
    SendBack,
    SpanAnswer,
    TextAnswer,
)
from evalapp.rubrics.models import Criterion, ReasonTag, Rubric, RubricVersion
from evalapp.runs.models import (
    ContaminationDecision,
    DrawnRows,
    Output,
    Run,
    RunCandidate,
    RunShard,
    SampleAnswer,
    Sweep,
    TrainingPoint,
)
from evalapp.scoring.models import CorpusMetric, ExternalMetric, LabelParser, MetricResult, RuleCheck
from evalapp.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Adjudication", "AdjudicationRevision", "Alert", "ApiToken", "Appeal", "AuditEvent", "CalibrationNote",
    "Campaign", "CampaignCandidate", "CampaignGate", "CampaignReviewer", "ClosingAnswer", "Comparison",
    "ComparisonRuling", "ComparisonRulingRevision", "ContaminationDecision", "CorpusMetric", "Correction", "Criterion", "Dataset", "DatasetImport", "DatasetVersion", "Decision",
    "Demonstration", "DiscussionMessage", "Draft", "Draw", "DrawnRows", "Endpoint", "Example", "Export", "ExportRow",
    "ExternalMetric", "Flag", "Gate", "GateEvaluation", "GoldAnswer", "GoldVerdict", "HubDownload", "Invitation", "Item",
    "ItemOutput", "Job", "JobEvent", "Judgement", "JudgementDraft", "JudgementRevision",
    "JudgementSendBack", "Kpi", "LabelParser", "Ledger", "LeftFiles", "MachinePrice", "Membership", "MergedExport", "MetricResult", "Model",
    "ModelJudge", "ModelVerdict", "ModelVersion", "OneTimeLink", "Output", "Place", "ProductionOutput", "Project",
    "RatingsImport", "RatingsProblem", "ReasonTag", "RecordedReviewer", "Report", "RetrainProposal",
    "Review", "ReviewCount", "ReviewRevision", "ReviewTag", "Rubric", "RubricVersion", "RuleCheck", "Run",
    "RunCandidate", "RunShard", "SampleAnswer", "SampledOutput", "SavedView", "Score", "ScoreCount", "SendBack", "SetAside", "Skip", "SpanAnswer",
    "StoredAnalysis", "Stream", "StreamReviewer", "Sweep", "TextAnswer", "TokenPrice", "TrainingPoint", "User",
    "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
]  # fmt: skip
