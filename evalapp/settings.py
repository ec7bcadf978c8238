"""Settings: everything a site may change comes from the environment (see evalapp.env)."""

import gc
from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from evalapp.env import environment

# A start makes no garbage, and looking for it takes a quarter of the time; `EvalappConfig.ready` ends this.
gc.disable()

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = environment()

DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key()
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
HOME = ENVIRONMENT.home
# Only what comes from there may say on whose behalf it comes (see evalapp.core.client_address).
TRUSTED_PROXY = ENVIRONMENT.trusted_proxy

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "evalapp.apps.EvalappConfig",
]

MIDDLEWARE = [
    "evalapp.core.access_log.AccessLogMiddleware",
    "evalapp.core.middleware.ServiceUnavailableMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "evalapp.core.middleware.PrivatePagesMiddleware",
    "evalapp.core.middleware.RequestLimitsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "evalapp.accounts.body_limits.BodyLimitsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "evalapp.core.middleware.WrongMethodMiddleware",
]

ROOT_URLCONF = "evalapp.urls"
WSGI_APPLICATION = "evalapp.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "evalapp.accounts.context.navigation",
            ],
        },
    },
]

DATABASES = {"default": ENVIRONMENT.django_database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "evalapp.core.cache.ValkeyCache",
        "LOCATION": ENVIRONMENT.redis_url,
        "KEY_PREFIX": "evalapp",
    }
}

AUTH_USER_MODEL = "evalapp.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "evalapp.accounts.backends.AccountBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "evalapp.accounts.adapter.ClosedSignUpAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_FORMS = {
    "login": "evalapp.accounts.sign_in_forms.SignInForm",
    "change_password": "evalapp.accounts.sign_in_forms.ChangePasswordForm",
    "reset_password_from_key": "evalapp.accounts.sign_in_forms.ChoosePasswordForm",
    "user_token": "evalapp.accounts.sign_in_forms.PasswordLinkForm",
}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip"}
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "evalapp.accounts.views.sign_in.attempted_email"
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_LOCKOUT_CALLABLE = "evalapp.accounts.views.sign_in.locked_out"
AXES_CLIENT_IP_CALLABLE = "evalapp.core.client_address.client_address"
# E-mail of alerts (docs/operations.md); without a server named there is none, and pages say so.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
SENDS_MAIL = ENVIRONMENT.mail is not None
if ENVIRONMENT.mail is not None:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = ENVIRONMENT.mail.host, ENVIRONMENT.mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = ENVIRONMENT.mail.user, ENVIRONMENT.mail.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = ENVIRONMENT.mail.is_tls, ENVIRONMENT.mail.starts_tls
    EMAIL_TIMEOUT = 20
    DEFAULT_FROM_EMAIL = ENVIRONMENT.mail.sender

# Single sign-on (docs/operations.md). Identities are kept, tokens of the provider are not.
SIGN_ON = ENVIRONMENT.sign_on
PASSWORDS_ALLOWED = ENVIRONMENT.passwords
SOCIALACCOUNT_ADAPTER = "evalapp.accounts.sign_on.SignOnAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "provider_class": "evalapp.accounts.sign_on.SignOnProvider",
        "OAUTH_PKCE_ENABLED": True,
    }
}
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = True
# Where requests to the outside may go; empty: nowhere. See evalapp.core.outgoing.
OUTGOING_ALLOWED = ENVIRONMENT.outgoing_allowed

SESSION_ENGINE = "evalapp.accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(ENVIRONMENT.trusted_proxy)
CSRF_FAILURE_VIEW = "evalapp.core.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if ENVIRONMENT.trusted_proxy]
if ENVIRONMENT.trusted_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

LANGUAGE_CODE = "en-gb"
# One language: asking for it at every number costs a page of numbers an eighth of its time.
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor", HOME / "build")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = HOME / "files"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_MAX_AGE = 3600

# Body limits (bytes) of people who have signed in (evalapp.accounts.body_limits). Imports stream to disk;
# everything else must fit in memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20
IMPORT_MAX_BYTES = 2 * 2**30
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "evalapp.core.uploads.YieldingUploadHandler",
]
FILE_UPLOAD_TEMP_DIR = ENVIRONMENT.upload_folder()

CELERY_BROKER_URL = ENVIRONMENT.celery_broker_url
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# How the model programs are started (see docs/run-directory.md).
MODEL_PYTHON = ENVIRONMENT.model_python
MODEL_FOLDERS = ENVIRONMENT.model_folders
RUNS_FOLDER = HOME / "runs"
ARTIFACTS_FOLDER = HOME / "artifacts"
# Where artifacts and run directories meet other machines; empty: nowhere (docs/adr/0012).
ARTIFACT_STORE = ENVIRONMENT.machines.store
RAY = ENVIRONMENT.machines.ray
BUNDLED_MODEL_FOLDER = HOME / "models" / "SmolLM2-135M-Instruct"
# Models come from this hub into this folder; the token is the program's that downloads, and stands nowhere
# else.
HUB_FOLDER = HOME / "models" / "hub"
HUB_URL = ENVIRONMENT.hub_url
HUB_TOKEN = ENVIRONMENT.hub_token
# How long unused files wait between being set aside and being removed.
SET_ASIDE_DAYS = 7

JOB_LEASE_SECONDS = 20
JOB_HEARTBEAT_SECONDS = 5
JOB_MAX_LOST_ATTEMPTS = 3
# A queued job's message is published again after so long: where its queue is idle, and where it is busy.
JOB_RING_AGAIN_SECONDS = (15, 120)
# A machine that lacks a job's base leaves the job to others, and looks again after so long.
JOB_LOOK_AGAIN_SECONDS = 600
# What waits for servers of others, perhaps for long; one more at a time would keep imports and exports
# waiting.
PATIENT_TASKS = {
    "evalapp.runs.tasks.carry_out_asking",
    "evalapp.artifacts.tasks.import_from_hub",
    "evalapp.artifacts.tasks.push_to_hub",
    "evalapp.llm_judges.tasks.ask_judge",
}
MOST_PATIENT_TASKS = 2
# A cancelled program gets this long to save before its process group is killed.
JOB_STOP_SECONDS = 120

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["evalapp.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "evalapp.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["evalapp.api.parsers.StrictJSONParser"],
    "EXCEPTION_HANDLER": "evalapp.api.errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["evalapp.api.throttling.UserThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "1200/min", "events": "60000/min"},
    "DEFAULT_METADATA_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "evalapp",
    "DESCRIPTION": (
        "Human-in-the-loop evaluation of fine-tuned LLMs. docs/api-tour.md shows a whole evaluation cycle."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["evalapp.api.schema.only_this_version"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "evalapp.api.schema.group_by_subject",
        "evalapp.api.example_bodies.with_examples",
    ],
    "ENUM_NAME_OVERRIDES": {
        "DatasetDraftState": "evalapp.curation.models.DraftState",
        "RowOperation": "evalapp.curation.models.Operation",
        "FindingKind": "evalapp.curation.kinds.FindingKind",
        "FindingProposal": "evalapp.curation.kinds.Proposal",
        "Role": "evalapp.accounts.models.Role",
        "MessageRole": "evalapp.datasets.rows.ROLES",
        "Split": "evalapp.datasets.models.Split",
        "JobState": "evalapp.jobs.models.JobState",
        "CampaignState": "evalapp.campaigns.models.CampaignState",
        "ExportState": "evalapp.exports.models.ExportState",
        "ModelKind": "evalapp.registry.models.ModelKind",
        "RunKind": "evalapp.runs.models.RunKind",
        "CriterionKind": "evalapp.rubrics.kinds.choices",
        "RowKind": "evalapp.exports.models.RowKind",
        "ManyDecisions": "evalapp.exports.api.exports.MANY_DECISIONS",
        "NoWorkReason": "evalapp.campaigns.allocation.NoWorkReason",
        "Verdict": "evalapp.decisions.models.DecisionVerdict",
        "RowDecision": "evalapp.exports.models.RowDecision",
        "WebhookEvent": "evalapp.webhooks.models.WebhookEvent",
        "WeeklySampleState": "evalapp.monitoring.models.WeeklySampleState",
        "MailState": "evalapp.monitoring.incidents.models.MailState",
        "IncidentState": "evalapp.monitoring.incidents.models.IncidentState",
        "DeliveryState": "evalapp.webhooks.models.DeliveryState",
        "OutcomeEnum": "evalapp.adjudication.models.Outcome",
        "ChangeRequestState": "evalapp.adjudication.api.change_requests.STATES",
        "KnownOutcome": "evalapp.reviews.preferences.models.KnownOutcome",
        "GivenOutcome": "evalapp.reviews.preferences.gold.OUTCOMES",
        "ParserKind": "evalapp.scoring.models.ParserKind",
        "AnalysisKind": "evalapp.analysis.models.AnalysisKind",
        "ArtifactKind": "evalapp.artifacts.models.ArtifactKind",
        "GateConditionKind": "evalapp.gates.api.KINDS",
        "GateConditionState": "evalapp.gates.api.STATES",
        "DifferenceVerdict": "evalapp.analysis.api.comparison.VERDICTS",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "evalapp.embedded.log_lines.LineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "axes": {"level": "WARNING"},
        # Beat looks every few seconds; a line for each look would bury what matters.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "absl": {"level": "WARNING"},
        # They tell at each start where the keys came from.
        "aiobotocore": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
    },
}
