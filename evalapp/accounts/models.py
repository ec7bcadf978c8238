from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone

from evalapp.accounts.emails import checked_email
from evalapp.core.models import BaseModel
from evalapp.stats.populations import Population


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user. Raises InvalidError for an address that `checked_email` refuses."""
        user = self.model(email=checked_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an account by a server command; whoever runs it vouches for the email."""
        fields.setdefault("email_verified_at", timezone.now())
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.with_email(username or "").get()

    def with_email(self, email: str) -> models.QuerySet["User"]:
        """The account with this address, ignoring case as `user_email_any_case` does, or none."""
        # ``iexact`` compares in upper case, where ı and i, distinct in lower case, become the same letter.
        return self.alias(lower_email=Lower("email")).filter(lower_email=Lower(Value(email)))


class User(AbstractBaseUser, PermissionsMixin, BaseModel):
    """A person, or a simulated reviewer of a demonstration (``is_simulated``; cannot sign in)."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_simulated = models.BooleanField(default=False)
    # Single-letter keys can be switched off or remapped (WCAG 2.1.4): {"enabled": bool, "map": {...}}.
    review_keys = models.JSONField(default=dict, blank=True)
    anonymised_at = models.DateTimeField(null=True, blank=True)
    # When ownership of the email was last verified; null where only a copied link vouches for it.
    email_verified_at = models.DateTimeField(null=True, blank=True)
    # Who copied the link that set the password: they may know the password, and anything created with it.
    password_link_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email


class ResultsApplyTo(models.TextChoices):
    """The population that a project's means and differences are about."""

    PANEL = Population.PANEL, "These reviewers"
    REVIEWERS = Population.REVIEWERS, "Reviewers like these"


class Project(BaseModel):
    """A project. People are its members; every other row belongs to one project."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.TextField(blank=True)
    # Only a demonstration project may hold simulated reviews in gates and exports.
    is_demonstration = models.BooleanField(default=False)
    # Otherwise reviewers appear under pseudonyms, to each other and to those who run the project.
    shows_reviewer_names = models.BooleanField(default=False)
    # A dataset draft must be published by somebody who edited none of its rows.
    needs_second_person = models.BooleanField(default=False, db_default=False)
    # Rows and imported outputs are stored with placeholders for personal data; ``masking_rules`` is read by
    # `evalapp.privacy.rules.MaskingRules`.
    masks_personal_data = models.BooleanField(default=False, db_default=False)
    masking_rules = models.JSONField(default=dict, blank=True)
    # Days after which unused data are removed, by `evalapp.accounts.retention.Kept`; data not named here are
    # kept for good.
    retention = models.JSONField(default=dict, blank=True)
    population = models.CharField(
        max_length=9, choices=ResultsApplyTo.choices, default=ResultsApplyTo.PANEL, db_default="panel"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    MANAGER = "manager", "Manager"
    ENGINEER = "engineer", "Engineer"
    REVIEWER = "reviewer", "Reviewer"


class Membership(BaseModel):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once_per_project"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_known_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class Invitation(BaseModel):
    """An invitation link, which can be copied where there is no mail server. Only its hash is stored."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    # Sent to the email by the server and shown to nobody else, so whoever opens it has access to the mailbox.
    is_mailed = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class OneTimeLink(BaseModel):
    """A single-use link that sets a password or signs the site admin in. Only its hash is stored."""

    class Purpose(models.TextChoices):
        PASSWORD = "password", "Set a password"
        EMERGENCY = "emergency", "Sign in"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="one_time_links")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    # Null: made by a server command. CASCADE, so that a link of a deleted user never looks like the server's.
    created_by = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    is_mailed = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.purpose} link for {self.user_id}"


class ApiToken(BaseModel):
    """A machine's key, stored as SHA-256; shown once. It can do what its user's role can; with a
    ``scope``, only what the API gives that scope to, such as "stream/12".
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    scope = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
