import uuid

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.core.outgoing import origin_of
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Output


class ModelJudge(BaseModel):
    """A criterion asked of a model at an OpenAI-compatible address.

    What it asks never changes, so that its verdicts stay comparable: another prompt, model, version,
    temperature or address is another judge. ``sealed_key`` is the address's API key, encrypted by
    `evalapp.model_judges.sealing`; empty where it needs none. ``model_version`` is what the person says;
    each verdict has what the address reported.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_judges")
    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60)
    address = models.TextField()
    model = models.CharField(max_length=200)
    model_version = models.CharField(max_length=100, blank=True)
    temperature = models.FloatField(default=0)
    prompt = models.TextField()
    sealed_key = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="model_judge_name"),
            models.CheckConstraint(
                condition=models.Q(temperature__gte=0, temperature__lte=2), name="model_judge_temperature"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """Where it is asked, without a path that might hold a secret."""
        return origin_of(self.address)


class VerdictState(models.TextChoices):
    ANSWERED = "answered", "Answered"
    NOT_APPLICABLE = "not_applicable", "N/A"
    UNPARSED = "unparsed", "Not an answer"
    FAILED = "failed", "Failed"


class ModelVerdict(models.Model):
    """What a judge said of an output, or why it said nothing that counts. Never a score of a person.

    ``answer`` is the text that came back, as far as it is kept; ``reported_model`` what the address says
    answered.
    """

    id = models.BigAutoField(primary_key=True)
    judge = models.ForeignKey(ModelJudge, on_delete=models.CASCADE, related_name="verdicts")
    output = models.ForeignKey(Output, on_delete=models.CASCADE, related_name="model_verdicts")
    state = models.CharField(max_length=14, choices=VerdictState.choices)
    value = models.SmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    problem = models.CharField(max_length=300, blank=True)
    reported_model = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["judge", "output"], name="model_verdict_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=VerdictState.values), name="model_verdict_known_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state=VerdictState.ANSWERED, value__isnull=False)
                | (~models.Q(state=VerdictState.ANSWERED) & models.Q(value__isnull=True)),
                name="model_verdict_value",
            ),
            models.CheckConstraint(
                condition=models.Q(state=VerdictState.FAILED) & ~models.Q(problem="")
                | ~models.Q(state=VerdictState.FAILED) & models.Q(problem=""),
                name="model_verdict_problem",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.value}"
