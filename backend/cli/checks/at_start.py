"""What must be right before an installation starts, because nobody would see it later: settings and keys.

It asks no server. What runs, and what does not, is for `repomill doctor`.
"""

from __future__ import annotations

from backend.cli.checks.base import Check, State
from backend.config.environment import Environment
from backend.errors import ConfigurationError


def check_at_start(environment: Environment) -> None:
    """Raise ConfigurationError with the first thing that is set up wrong; warnings are not a reason to stay away."""
    for check in checks(environment):
        if check.state is State.PROBLEM:
            raise ConfigurationError(f"{check.name}: {check.detail}.", hint=check.remedy)


def checks(environment: Environment) -> list[Check]:
    """Return the checks that need nothing but this machine and its settings."""
    from backend.cli.checks import broker, configuration, keys, machine
    from backend.config.celery import app

    return [
        machine.check_secret_files(environment.secrets_dir),
        keys.check_keys(environment),
        configuration.check_settings(environment),
        configuration.check_delivery(app.conf),
        broker.judge_access(environment.redis_url),
    ]
