"""`repomill doctor`: looks at the installation and says how to mend what is wrong. It changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli import exit_codes

if TYPE_CHECKING:
    from backend.cli.checks.base import Check


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks and the settings as JSON.")] = False,
) -> None:
    """Check Python, git, folders, settings, database, broker, workers, beat, web and Flower.

    Exit code 0: no problem (there may be warnings); 6: something does not run; 7: something is set up wrong.
    """
    from backend.config.environment import load

    environment = load()
    checks = all_checks()
    from backend.cli.checks.configuration import settings_table

    settings = settings_table(environment)
    if as_json:
        typer.echo(json.dumps({"checks": [check.as_json() for check in checks], "settings": settings}, indent=2))
    else:
        show(checks, settings)
    raise typer.Exit(exit_code(checks))


def all_checks() -> list[Check]:
    """Run every check, from the ground up: what stands on something broken is not asked.

    Raises ConfigurationError when the settings cannot be loaded at all.
    """
    from backend.cli.checks import broker, configuration, database, keys, machine, services, storage
    from backend.cli.checks.base import State
    from backend.config.environment import load

    environment = load()
    ground = [
        machine.check_python(),
        machine.check_git(),
        machine.check_data_folder(environment.data_dir),
        machine.check_secret_files(environment.secrets_dir),
        keys.check_keys(environment),
        configuration.check_settings(environment),
    ]
    if any(check.state is State.PROBLEM for check in ground[2:5]):
        return ground
    from backend.cli.django_setup import setup_django

    setup_django()
    from django.conf import settings

    from backend.config.celery import app

    data = database.check_database()
    brokers = broker.check_broker(environment)
    reached = brokers[0].state is not State.UNAVAILABLE
    queues = [queue.name for queue in app.conf.task_queues]
    return [
        *ground,
        configuration.check_extras(
            environment, storage_backend=settings.STORAGES.get("archives", {}).get("BACKEND", "")
        ),
        configuration.check_delivery(app.conf),
        data,
        storage.check_storage(),
        *brokers,
        *(services.check_queues(queues, environment) if reached else services.unasked_queues(queues)),
        *([services.check_beat(environment)] if data.state is State.OK else []),
        services.check_web(environment),
        services.check_flower(environment),
    ]


def exit_code(checks: list[Check]) -> int:
    """Return what the checks come to: a wrong set-up weighs more than what does not run."""
    states = {check.state.value for check in checks}
    if "problem" in states:
        return exit_codes.CONFIGURATION
    return exit_codes.UNAVAILABLE if "unavailable" in states else exit_codes.OK


def show(checks: list[Check], settings: list[dict[str, Any]]) -> None:
    """Print the checks, how to mend what is not well, and what the settings come to."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "problem": "red", "unavailable": "red"}
    console = Console(highlight=False)
    table = Table("check", "", "what was found, and how to mend it", box=None, header_style="bold", pad_edge=False)
    for check in checks:
        state = Text(check.state.value, style=colours[check.state.value])
        table.add_row(Text(check.name), state, Text(check.detail, overflow="fold"))
        if check.remedy:
            # Below it and not beside it: a path or a command to be copied is seldom short.
            table.add_row("", "", Text(check.remedy, "bold", overflow="fold"))
    console.print(table)
    given = Table("setting", "value", "from", box=None, header_style="bold", pad_edge=False)
    for row in settings:
        given.add_row(Text(row["name"]), Text(row["value"], overflow="fold"), Text(row["source"]))
    console.print()
    console.print(given)
    bad = sum(check.state.value in {"problem", "unavailable"} for check in checks)
    console.print(f"\n{len(checks)} checks, {bad} with a problem.")
