"""Checks of the settings: where each comes from, and whether they fit together. No URL is shown with its password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Final

from backend.cli.checks.base import Check, ok, problem, shown_url, warning
from backend.config.environment import Environment

SETTINGS = {
    "REPOMILL_DATA_DIR": "data_dir",
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "BACKEND_URL": "backend_url",
    "GENERATED_PROJECTS_DIR": "generated_projects_dir",
    "REPOMILL_DEBUG": "debug",
    "REPOMILL_ALLOWED_HOSTS": "allowed_hosts",
    "REPOMILL_GIT_INTERNAL_HOSTS": "git_internal_hosts",
    "REPOMILL_CREDENTIAL_KEYS_FILE": "credential_keys_file",
    "REPOMILL_LEASE_SECONDS": "lease_seconds",
    "REPOMILL_RECONCILE_SECONDS": "reconcile_seconds",
    "REPOMILL_TASK_SOFT_LIMIT": "task_soft_limit",
    "REPOMILL_TASK_HARD_LIMIT": "task_hard_limit",
    "REPOMILL_WORKER_CONCURRENCY": "worker_concurrency",
    "REPOMILL_RATE_USER": "rate_user",
    "REPOMILL_RATE_ADDRESS": "rate_address",
    "REPOMILL_RATE_LOGIN": "rate_login",
    "REPOMILL_RATE_DRY_RUN": "rate_dry_run",
    "REPOMILL_PROXIES": "proxies",
    "REPOMILL_LARGEST_BODY": "largest_body",
    "REPOMILL_ARCHIVES_SENT_BY": "archives_sent_by",
    "REPOMILL_ARCHIVES_LOCATION": "archives_location",
    "REPOMILL_DRAIN_SECONDS": "drain_seconds",
    "REPOMILL_ALIVE_FILE": "alive_file",
    "REPOMILL_WEB_URL": "web_url",
    "REPOMILL_FLOWER_URL": "flower_url",
    "REPOMILL_FLOWER_CONTROL": "flower_control",
    "REPOMILL_LOG_FORMAT": "log_format",
    "REPOMILL_TRACES_TO": "traces_to",
    "REPOMILL_STORAGE_URL": "storage_url",
    "REPOMILL_OIDC_FILE": "oidc_file",
    "REPOMILL_AGENT_ACTIONS_DAYS": "agent_actions_days",
    "REPOMILL_BROKER_URL": "broker_url",
    "REPOMILL_MAIL_URL": "mail_url",
}

NO_SETTINGS: Final = {"REPOMILL_ADDRESS", "REPOMILL_IMAGE", "REPOMILL_TOKEN"}
"""Variables of our name that others read: the Compose file, and the example of an agent."""


def settings_table(environment: Environment, variables: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Return every setting with its value, as it may be shown, and its source: default, environment or file."""
    given = os.environ if variables is None else variables
    table = []
    for variable, attribute in SETTINGS.items():
        value = getattr(environment, attribute)
        shown = shown_url(value) if attribute.endswith(("_url", "_to")) else _shown(value)
        source = "environment" if given.get(variable) else "file" if given.get(f"{variable}_FILE") else "default"
        table.append({"name": variable, "value": shown, "source": source})
    return table


def check_settings(environment: Environment, variables: Mapping[str, str] | None = None) -> Check:
    """Check that debugging is off and no name is misspelt, and say which settings are not the defaults."""
    unknown = _unknown(os.environ if variables is None else variables)
    given = [row["name"] for row in settings_table(environment, variables) if row["source"] != "default"]
    if environment.debug and not environment.embedded_broker:
        return problem("settings", "REPOMILL_DEBUG is on beside a broker of its own", "Unset it outside development.")
    if unknown:
        names = sorted(SETTINGS)
        meant = [near for name in unknown for near in get_close_matches(name, names, n=1, cutoff=0.75)]
        return warning(
            "settings",
            f"nothing reads {', '.join(unknown)}",
            f"Did you mean {', '.join(meant)}?" if meant else "docs/reference/settings.md has all that there are.",
        )
    return ok("settings", f"set: {', '.join(given)}" if given else "all defaults")


def _unknown(given: Mapping[str, str]) -> list[str]:
    known = NO_SETTINGS | SETTINGS.keys() | {f"{name}_FILE" for name in SETTINGS if name.endswith("_URL")}
    return sorted(name for name in given if name.startswith("REPOMILL_") and name not in known)


def check_delivery(configuration: Any) -> Check:  # noqa: ANN401  (Celery's configuration is a dynamic mapping)
    """Check the two settings of Celery on which "no task runs twice, no result leaks" rests."""
    name = "task delivery"
    timeout = (configuration.broker_transport_options or {}).get("visibility_timeout", 3600)
    if timeout <= configuration.task_time_limit:
        return problem(
            name,
            f"visibility_timeout {timeout} s is not above the hard limit {configuration.task_time_limit} s",
            "Raise it in celeryconfig.py: a task that outlives it is delivered a second time.",
        )
    if configuration.result_backend:
        return problem(name, "a result backend is configured", "Remove result_backend: results belong in the database.")
    return ok(name, f"visibility_timeout {timeout} s, hard limit {configuration.task_time_limit} s, no result backend")


def check_extras(environment: Environment, *, storage_backend: str) -> Check:
    """Check that what the settings ask for beyond the defaults is installed."""
    wanted = {
        "psycopg": not environment.database_url.startswith("sqlite"),
        "opentelemetry": bool(environment.traces_to),
        "storages": storage_backend.startswith("storages."),
        "boto3": storage_backend.startswith("storages.backends.s3"),
    }
    missing = [package for package, needed in wanted.items() if needed and find_spec(package) is None]
    if missing:
        return problem("extras", f"not installed: {', '.join(missing)}", "Install them into Repomill's environment.")
    used = [package for package, needed in wanted.items() if needed]
    return ok("extras", f"installed: {', '.join(used)}" if used else "none needed")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
