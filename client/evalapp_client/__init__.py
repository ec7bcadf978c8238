"""Client of evalapp: sends outputs of a deployed model, and reads the verdict of a release gate."""

from evalapp_client.client import Client
from evalapp_client.deployments import Deployment, Promotion
from evalapp_client.errors import (
    ApiError,
    ClosedError,
    ConflictError,
    EvalappError,
    InvalidError,
    MissingError,
    NotAllowedError,
    NotSentError,
    NotSignedInError,
    QueueFullError,
    RefusedError,
    ServerError,
    ThrottledError,
    TooLargeError,
    UnreachableError,
)
from evalapp_client.gates import ConditionResult, Verdict
from evalapp_client.streams import Stream
from evalapp_client.taken import Refused, TakenAssessments, TakenEvents

__all__ = [
    "ApiError",
    "Client",
    "ClosedError",
    "ConditionResult",
    "ConflictError",
    "Deployment",
    "EvalappError",
    "InvalidError",
    "MissingError",
    "NotAllowedError",
    "NotSentError",
    "NotSignedInError",
    "Promotion",
    "QueueFullError",
    "Refused",
    "RefusedError",
    "ServerError",
    "Stream",
    "TakenAssessments",
    "TakenEvents",
    "ThrottledError",
    "TooLargeError",
    "UnreachableError",
    "Verdict",
]
