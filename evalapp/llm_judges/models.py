import uuid

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.core.outgoing import origin_of
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Output


class LLMJudge(BaseModel):
    """A criterion that a model scores through an OpenAI-compatible endpoint.

    A judge's definition never changes, so that its scores stay comparable: another prompt, model, version,
    temperature or endpoint makes another judge. ``sealed_key``: the endpoint's API key, encrypted by
    `evalapp.llm_judges.sealing`; empty if it needs none. ``model_version``: as stated by a person; each score
    has what the endpoint reported.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="llm_judges")
    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60)
    url = models.TextField()
    model = models.CharField(max_length=200)
    model_version = models.CharField(max_length=100, blank=True)
    temperature = models.FloatField(default=0)
    prompt = models.TextField()
    sealed_key = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="llm_judge_name"),
            models.CheckConstraint(
                condition=models.Q(temperature__gte=0, temperature__lte=2), name="llm_judge_temperature"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """The endpoint without its path, which might contain a secret."""
        return origin_of(self.url)


class LLMScoreState(models.TextChoices):
    ANSWERED = "answered", "Answered"
    NOT_APPLICABLE = "not_applicable", "N/A"
    UNPARSED = "unparsed", "Unparsed"
    FAILED = "failed", "Failed"


class LLMScore(models.Model):
    """A judge's score of an output, or why there is none. Never a score of a person.

    ``answer``: the text that the model returned, possibly shortened; ``reported_model``: the model that the
    endpoint reported.
    """

    id = models.BigAutoField(primary_key=True)
    judge = models.ForeignKey(LLMJudge, on_delete=models.CASCADE, related_name="scores")
    output = models.ForeignKey(Output, on_delete=models.CASCADE, related_name="llm_scores")
    state = models.CharField(max_length=14, choices=LLMScoreState.choices)
    value = models.SmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    problem = models.CharField(max_length=300, blank=True)
    reported_model = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["judge", "output"], name="llm_score_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=LLMScoreState.values), name="llm_score_known_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state=LLMScoreState.ANSWERED, value__isnull=False)
                | (~models.Q(state=LLMScoreState.ANSWERED) & models.Q(value__isnull=True)),
                name="llm_score_value",
            ),
            models.CheckConstraint(
                condition=models.Q(state=LLMScoreState.FAILED) & ~models.Q(problem="")
                | ~models.Q(state=LLMScoreState.FAILED) & models.Q(problem=""),
                name="llm_score_problem",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.value}"
