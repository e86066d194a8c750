"""`repomill call`: one service method as a task of its own, outside any workflow."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from backend.cli.django_setup import setup_django
from backend.cli.messages import visible_lines

if TYPE_CHECKING:
    from rich.console import Console

    from backend.apps.workflows.models import TaskExecution

PAUSE = 0.2


def call(
    method: Annotated[str | None, typer.Argument(help="Such as generation.write_file.", show_default=False)] = None,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "--argument", "-a", metavar="NAME=VALUE", help="An argument; NAME=@FILE reads a text from a file."
        ),
    ] = None,
    arguments: Annotated[
        Path | None, typer.Option("--arguments", help="A JSON object with all arguments, for what is not a text.")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", help="The project to work on.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", "-k", help="Names the work for ever: the same key is done once.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="For whom; default: operator.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait until it has ended, and show its result.")
    ] = False,
    list_methods: Annotated[bool, typer.Option("--list", "-l", help="List the methods and what they take.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Do one service method as an idempotent, retried task. Called again with the same --key, it shows the same task.

    Exit code 1 where --follow sees it fail.
    """
    setup_django()
    from rich.console import Console

    from backend.errors import InvalidInput

    console = Console()
    if list_methods:
        _list(console, as_json=as_json)
        return
    if method is None:
        raise InvalidInput("Say which method.", field="METHOD", hint="All of them: repomill call --list")
    task = _enqueue(method, argument or [], arguments, project=project, key=key, username=user)
    if follow:
        _wait(task, console)
    _show(task, console, as_json=as_json)
    if follow and task.status != "completed":
        raise typer.Exit(1)


def _enqueue(
    method: str, pairs: list[str], file: Path | None, *, project: str | None, key: str | None, username: str | None
) -> TaskExecution:
    from backend.apps.projects.selectors import project_by_slug_or_id
    from backend.apps.workflows.services import enqueue_method
    from backend.cli.acting_user import acting_user
    from backend.cli.inputs import read_inputs, read_object

    owner = acting_user(username)
    target = project_by_slug_or_id(user=owner, reference=project, write=True) if project else None
    given = read_object(file) if file else {}
    return enqueue_method(
        method=method,
        arguments={**given, **read_inputs(pairs, {})},
        key=key or f"call/{uuid4()}",
        user=owner,
        project_id=target.pk if target else None,
        project_name=target.slug if target else "",
    )


def _wait(task: TaskExecution, console: Console) -> None:
    with console.status(f"{task.method} is {task.status}") as status:
        while task.status in {"pending", "running"}:
            try:
                time.sleep(PAUSE)
            except KeyboardInterrupt:
                typer.echo(f"\nIt goes on. Watch it again with --key {task.key} and the same arguments.", err=True)
                raise typer.Exit(130) from None
            task.refresh_from_db()
            waits = f", waits until {task.not_before:%H:%M:%S} UTC" if task.not_before else ""
            status.update(f"{task.method} is {task.status}, attempt {task.attempt}{waits}")


def _show(task: TaskExecution, console: Console, *, as_json: bool) -> None:
    from rich.text import Text

    if as_json:
        names = ("key", "method", "status", "attempt", "result", "error")
        shown = {"id": str(task.pk)} | {name: getattr(task, name) for name in names}
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    console.print(Text.assemble((task.method, "bold"), f" {task.status}  id {task.pk}  key {task.key}"), soft_wrap=True)
    if task.result is not None:
        console.print_json(data=task.result)
    if task.error is not None:
        told = f"{task.error.get('code')}: {task.error.get('message')}"
        console.print(Text(visible_lines(told), "red"), soft_wrap=True)
        if hint := task.error.get("hint"):
            console.print(Text(visible_lines(hint)), soft_wrap=True)


def _list(console: Console, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.text import Text

    from backend.apps.workflows.methods import known_methods

    if as_json:
        typer.echo(json.dumps([asdict(method) for method in known_methods().values()], indent=2))
        return
    for method in known_methods().values():
        optional = [f"[{name}]" for name in method.optional]
        more = ["..."] if method.takes_more else []
        line = Text(method.name, style="bold")
        line.append(" " + " ".join([*method.required, *optional, *more]), style="not bold")
        console.print(line, soft_wrap=True)
        console.print(Text(f"    {method.summary}", style="dim"))
