"""Django settings for every installation. What differs between installations comes from the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.config.database_url import database_of
from backend.config.environment import ROOT, load
from backend.config.mail_url import mail_settings
from backend.config.secret_files import read_or_create
from backend.config.single_sign_on import oidc_settings
from backend.config.storage_url import storages_of

ENVIRONMENT = load()

BASE_DIR = ROOT
DATA_DIR = ENVIRONMENT.data_dir
DEBUG = ENVIRONMENT.debug
SECRET_KEY = read_or_create(ENVIRONMENT.secrets_dir, "secret_key")
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # Before the admin, whose frame it changes.
    "backend.console",
    # Its pages are found with the web's addresses: no other process needs them.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "backend.api",
    "backend.apps.authentication",
    "backend.apps.credentials",
    "backend.apps.workflows",
    "backend.apps.agents",
    "backend.apps.projects",
    "backend.apps.exports",
    "backend.metrics",
]

MIDDLEWARE = [
    "backend.telemetry.middleware.Telemetry",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "backend.console.middleware.ContentSecurity",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backend.console.context.console",
            ]
        },
    }
]

ROOT_URLCONF = "backend.config.urls"
ASGI_APPLICATION = "backend.config.asgi.application"
WSGI_APPLICATION = "backend.config.wsgi.application"


DATABASES = {"default": database_of(ENVIRONMENT.database_url, lease_seconds=ENVIRONMENT.lease_seconds)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "authentication.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
globals().update(mail_settings(ENVIRONMENT.mail_url))

# How long the audit trail keeps what an agent did.
AGENT_ACTIONS_KEPT = timedelta(days=ENVIRONMENT.agent_actions_days)

LOGIN_URL = "console:login"
LOGIN_REDIRECT_URL = "console:home"
LOGOUT_REDIRECT_URL = "console:login"
# Who logs in does so for a working day; the pages that keep themselves up to date do not make it longer.
SESSION_COOKIE_AGE = 12 * 3600
# What users are told to log in with beside a password; empty where nothing is set up.
SINGLE_SIGN_ON = ""
if ENVIRONMENT.oidc_file is not None:
    globals().update(oidc_settings(ENVIRONMENT.oidc_file))

# How many requests one web process works at, each with a thread and at most one database connection, and how long the
# others wait for their turn before they are asked to come back.
REQUESTS_AT_ONCE = 32
REQUESTS_WAIT_SECONDS = 120

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# WhiteNoise warns at every start when it is absent.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Served straight from the packages: someone who only installs needs no build step.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Where work lives. The specification's name; the rest lies beside it in the data folder.
GENERATED_PROJECTS_DIR = ENVIRONMENT.generated_projects_dir
GIT_STORES_DIR = DATA_DIR / "git-stores"
ARCHIVES_DIR = DATA_DIR / "archives"
# Who sends an archive to those who download it, and where the web server in front has them (docs/guides/downloads.md).
ARCHIVES_SENT_BY = ENVIRONMENT.archives_sent_by
ARCHIVES_LOCATION = ENVIRONMENT.archives_location
# Where hosts that share no folder keep archives, and exchange what they generate. Without it nothing is exchanged.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    **storages_of(ENVIRONMENT.storage_url),
}
PROJECT_TEMPLATES_DIR = DATA_DIR / "templates"
# Repositories of the host `git` that live on this machine; `export_to_git` may create one below here, and only here.
LOCAL_REPOSITORIES_DIR = DATA_DIR / "repositories"
# Without an entry here nobody can make a worker talk to this machine's own services, or to a bare address.
GIT_INTERNAL_HOSTS = list(ENVIRONMENT.git_internal_hosts)

# What credentials are encrypted with, newest first. A file that was named is the operator's, and never made here.
CREDENTIAL_KEYS_FILE = ENVIRONMENT.credential_keys_file
CREDENTIAL_KEYS_GIVEN = ENVIRONMENT.credential_keys_given

BACKEND_URL = ENVIRONMENT.backend_url
OPENAPI_PATH = "/api/schema/"
# Where stories and sprints live on the server at BACKEND_URL: "nested" (below their project, as in our own API), "flat"
# (/projects/stories/), or "auto": nested, unless the server's OpenAPI document shows the other.
AGENT_API_LAYOUT = "auto"
# Whether that server honours Idempotency-Key, as our own does. Where not, a POST whose answer is lost is in doubt.
AGENT_API_HONOURS_KEYS = True

# Only what may be lost lies in the cache: how often somebody has asked. JSON, since whoever can write to the server
# must not be able to run code here.
CACHES = {
    "default": {
        "BACKEND": "backend.config.redis_cache.Cache",
        "LOCATION": ENVIRONMENT.redis_url,
        "KEY_PREFIX": "repomill",
        "OPTIONS": {
            "serializer": "django.core.signing.JSONSerializer",
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    }
}
API_RATES = {
    "user": ENVIRONMENT.rate_user,
    "address": ENVIRONMENT.rate_address,
    "login": ENVIRONMENT.rate_login,
    "dry_run": ENVIRONMENT.rate_dry_run,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = ENVIRONMENT.largest_body

# Security headers and cookies. HTTPS is enforced by the proxy in front, which sets the header that is trusted here.
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
# Where browsers come by https, as REPOMILL_WEB_URL says, no cookie goes by anything else.
_BY_HTTPS = ENVIRONMENT.web_url.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _BY_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _BY_HTTPS else 0
# Whether other names below this one have https is for their owner to say.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.web_url] if _BY_HTTPS else []
if _BY_HTTPS and ENVIRONMENT.proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# W008: to redirect is the proxy's part, since workers reach this process by http inside. W005, W021: see above.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W005", "security.W021"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backend.apps.authentication.service_token_authentication.ServiceTokenAuthentication",
        "backend.apps.authentication.tokens.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "backend.apps.authentication.permissions.TokenScope",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["backend.api.throttles.UserThrottle", "backend.api.throttles.AddressThrottle"],
    "NUM_PROXIES": ENVIRONMENT.proxies,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backend.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "backend.api.schema.Schema",
    "DEFAULT_METADATA_CLASS": "backend.api.metadata.NameOnly",
    "DEFAULT_PAGINATION_CLASS": "backend.api.pagination.NumberedPages",
    "EXCEPTION_HANDLER": "backend.api.errors.as_problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=12),
    "ALGORITHM": "HS256",
    # A key of its own: whoever can forge a session must not be able to forge a token, and the reverse.
    "SIGNING_KEY": read_or_create(ENVIRONMENT.secrets_dir, "jwt_signing_key"),
    "USER_ID_CLAIM": "user_id",
    # A token dies with a password change or a deactivation.
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Repomill",
    "DESCRIPTION": "Durable background work for the steps of AI-agent workflows.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "backend.api.schema.add_problems",
        "backend.api.links.add_links",
    ],
    # Several models have a `status`; each list of values gets a name that says whose it is.
    "ENUM_NAME_OVERRIDES": {
        "ProjectRole": "backend.apps.projects.membership_serializers.ROLES",
        "ProjectOrder": "backend.apps.projects.serializers.PROJECT_ORDERS",
        "OrganisationRole": "backend.apps.projects.models.OrganisationMembership.Role",
        "OrganisationPlan": "backend.apps.projects.models.Organisation.Plan",
        "MemberRole": "backend.apps.projects.models.ProjectMembership.Role",
        "GenerationStatus": "backend.apps.projects.models.GeneratedProject.Status",
        "ExportStatus": "backend.apps.exports.models.RepositoryExport.Status",
        "StoryStatus": "backend.apps.projects.models.Story.Status",
        "SprintStatus": "backend.apps.projects.models.Sprint.Status",
        "ExecutionStatus": "backend.apps.workflows.models.WorkflowExecution.Status",
        "StepStatus": "backend.apps.workflows.models.StepExecution.Status",
        "TaskStatus": "backend.apps.workflows.models.TaskExecution.Status",
    },
}

CELERY_BEAT_SCHEDULER = "backend.config.beat_scheduler:Scheduler"

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "backend.telemetry.logs.Line",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "json": {"()": "backend.telemetry.logs.Json"},
    },
    "filters": {"quiet_maintenance": {"()": "backend.config.quiet_maintenance.QuietMaintenance"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": ENVIRONMENT.log_format,
            "filters": ["quiet_maintenance"],
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
}
