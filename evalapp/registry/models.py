import uuid
from decimal import Decimal

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.core.outgoing import origin_of
from evalapp.jobs.models import Job


class Model(BaseModel):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="model_name_in_project")]

    def __str__(self) -> str:
        return self.name


class Endpoint(BaseModel):
    """An OpenAI-compatible endpoint whose models serve as candidates: a team's own server or a commercial
    one.

    ``sealed_key`` is its API key, encrypted by `evalapp.registry.endpoints`; empty if it needs none.
    ``parallel`` is the maximum number of parallel requests.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="endpoints")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60)
    url = models.TextField()
    sealed_key = models.TextField(blank=True)
    parallel = models.PositiveSmallIntegerField(default=4)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="endpoint_name"),
            models.CheckConstraint(
                condition=models.Q(parallel__gte=1, parallel__lte=64), name="endpoint_parallel"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """The URL's origin, without its path, which might contain a secret."""
        return origin_of(self.url)


class ModelKind(models.TextChoices):
    BASE = "base", "Base"
    PROMPT = "prompt", "Prompt"
    LORA = "lora", "LoRA"
    FULL = "full", "Full model"
    ENDPOINT = "endpoint", "API model"
    IMPORTED = "imported", "Imported outputs"


EXTERNAL_KINDS = frozenset({ModelKind.ENDPOINT, ModelKind.IMPORTED})
"""Kinds whose training data are unknown."""
TUNED_KINDS = frozenset({ModelKind.LORA, ModelKind.FULL})
"""Kinds that training produces."""
STANDING_KINDS = frozenset({ModelKind.BASE, ModelKind.FULL})
"""Kinds that can serve as a base, with all weights in one folder."""


class ModelAlias(models.TextChoices):
    CHAMPION = "champion", "Champion"
    CHALLENGER = "challenger", "Challenger"


class ModelVersion(BaseModel):
    """A candidate: base weights, a prompt on a base, an adapter, a full model trained from a base, an API
    model, or imported outputs.

    ``path`` is absolute for a base in an allowed folder and relative to the artifacts folder for trained
    weights. ``content_hash`` identifies the weights. ``parent`` is the adapter that this one was continued
    from. ``config`` has the weights' settings; for an API model its name ("model") and further request fields
    ("request"); for a base from a hub also its origin ("hub"). ``set_aside_at``: its weights are set aside
    for removal, and new runs cannot use it. The row outlives the weights.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="versions")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=ModelKind.choices)
    base = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="derived")
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="continued"
    )
    endpoint = models.ForeignKey(
        Endpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="versions"
    )
    path = models.CharField(max_length=500, blank=True)
    content_hash = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    system_prompt = models.TextField(blank=True)
    prompt_template = models.TextField(blank=True)
    config = models.JSONField(default=dict)
    alias = models.CharField(max_length=12, choices=ModelAlias.choices, blank=True)
    is_simulated = models.BooleanField(default=False)
    is_recorded = models.BooleanField(default=False)
    set_aside_at = models.DateTimeField(null=True, blank=True)
    weights_removed_at = models.DateTimeField(null=True, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="model_version_number"),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(alias=ModelAlias.CHAMPION),
                name="one_champion_per_project",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind__in=[ModelKind.PROMPT, ModelKind.LORA, ModelKind.FULL])
                | models.Q(base__isnull=False),
                name="model_version_needs_base",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=ModelKind.ENDPOINT, endpoint__isnull=False)
                | ~models.Q(kind=ModelKind.ENDPOINT) & models.Q(endpoint__isnull=True),
                name="model_version_endpoint",
            ),
            models.CheckConstraint(
                condition=models.Q(weights_removed_at__isnull=True) | models.Q(set_aside_at__isnull=False),
                name="model_version_removed_after_set_aside",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=ModelKind.values), name="model_version_known_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_tuned(self) -> bool:
        return self.kind in TUNED_KINDS

    @property
    def has_words(self) -> bool:
        """Whether it has a prompt of its own, on a base or at an endpoint."""
        return bool(self.system_prompt or self.prompt_template or self.config.get("examples"))

    @property
    def has_weights_here(self) -> bool:
        """Whether its own weights are stored; recorded versions never had any here."""
        return bool(self.path) and not self.is_recorded and self.weights_removed_at is None


class TokenPrice(BaseModel):
    """Price of a million tokens, for prompts (``input_price``) and answers (``output_price``), in
    ``currency`` (three letters). Without a ``model_version`` it applies to every version without a price of
    its own.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="token_prices")
    model_version = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="token_prices"
    )
    input_price = models.DecimalField(max_digits=13, decimal_places=6)
    output_price = models.DecimalField(max_digits=13, decimal_places=6)
    currency = models.CharField(max_length=3)
    set_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "model_version"], nulls_distinct=False, name="token_price_once"
            ),
            models.CheckConstraint(
                condition=models.Q(input_price__gte=0, output_price__gte=0), name="token_price_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="token_price_currency"
            ),
        ]

    def __str__(self) -> str:
        of = self.model_version.label if self.model_version is not None else "all other versions"
        return f"price of {of}"

    @property
    def input_words(self) -> str:
        return _without_zeros(self.input_price)

    @property
    def output_words(self) -> str:
        return _without_zeros(self.output_price)

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Cost of this many prompt and completion tokens."""
        return (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1_000_000


class MachinePrice(BaseModel):
    """Price of an hour of the machine that trains a project's models, in ``currency`` (three letters)."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="machine_price")
    hour_price = models.DecimalField(max_digits=13, decimal_places=6)
    currency = models.CharField(max_length=3)
    set_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(hour_price__gte=0), name="machine_price_not_negative"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="machine_price_currency"
            ),
        ]

    def __str__(self) -> str:
        return "price of a machine's hour"

    @property
    def hour_words(self) -> str:
        return _without_zeros(self.hour_price)


def _without_zeros(price: Decimal) -> str:
    """A price without trailing zeros: 0.15, not 0.150000."""
    return f"{price.normalize():f}"
