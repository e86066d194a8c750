"""`repomill pause`, `resume`, `cancel`, `retry`, `rerun` and `resolve`: stops what runs, and mends what failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.django_setup import setup_django
from backend.errors import InvalidInput
from backend.strict_json import NotJSON, read_json

if TYPE_CHECKING:
    from backend.apps.workflows.models import WorkflowExecution

Execution = Annotated[str, typer.Argument(help="Its id, the beginning of its id, or: last", show_default=False)]
User = Annotated[str | None, typer.Option("--user", "-u", help="Who does it; default: operator.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show it until it has ended.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def pause(execution: Execution, user: User = None, as_json: AsJson = False) -> None:
    """Let nothing more of an execution begin. What runs is let finish, and its results are kept.

    `repomill resume` lets it go on.
    """
    whom = _found(execution, user)
    from backend.apps.workflows.services import pause_execution

    _tell(pause_execution(**whom), "Paused {id}; what runs is let finish.", as_json=as_json)


def resume(execution: Execution, user: User = None, follow: Follow = False, as_json: AsJson = False) -> None:
    """Let a paused execution go on, or a failed one at the steps that failed; all earlier results are kept."""
    whom = _found(execution, user)
    from backend.apps.workflows.services import resume_execution

    _tell(resume_execution(**whom), "{id} goes on.", follow=follow, as_json=as_json)


def cancel(
    execution: Execution,
    step: Annotated[str | None, typer.Option("--step", "-s", help="Cancel this step only.", metavar="ID")] = None,
    user: User = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Cancel an execution, or one step of it. What waits ends at once, what runs is stopped within seconds.

    What depends on a cancelled step is skipped, unless the step has continue_on_error. A cancelled execution is final;
    `repomill rerun` starts a new one.
    """
    whom = _found(execution, user)
    from backend.apps.workflows.services import cancel_execution, cancel_step

    if step is None:
        changed = cancel_execution(**whom)
        said = "Cancelled {id}." if changed.status == "cancelled" else "Cancelling {id}: what runs stops in seconds."
    else:
        changed = cancel_step(step_id=step, **whom)
        said = f"Cancelled the step {step} of {{id}}; where it runs, it stops in seconds."
    _tell(changed, said, follow=follow, as_json=as_json)


def retry(
    execution: Execution,
    step: Annotated[str, typer.Option("--step", "-s", help="The failed or cancelled step.", metavar="ID")],
    user: User = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Do one failed or cancelled step again, from its first unfinished task, and what was skipped because of it.

    `repomill resume` does so for all failed steps at once.
    """
    whom = _found(execution, user)
    from backend.apps.workflows.services import retry_step

    said = f"The step {step} of {{id}} is done again."
    _tell(retry_step(step_id=step, **whom), said, follow=follow, as_json=as_json)


def rerun(
    execution: Execution,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input that differs; NAME=@FILE reads it."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="For whom; default: for whom it ran before.")] = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Start a new execution of the same version, on the same project and with the same inputs or others.

    The old one stays as it is.
    """
    setup_django()
    from backend.apps.projects.selectors import get_project
    from backend.apps.workflows.execution.reading import definition_of
    from backend.apps.workflows.selectors import find_execution
    from backend.apps.workflows.services import rerun_execution
    from backend.cli.acting_user import acting_user
    from backend.cli.inputs import read_inputs

    found = find_execution(execution)
    inputs = read_inputs(input or [], definition_of(found.version_id).inputs)
    if "project" in inputs:
        raise InvalidInput(
            "A rerun works on the same project.",
            field="inputs.project",
            hint="For another project: repomill run FILE --project NAME",
        )
    owner = acting_user(user or found.user.get_username())
    if found.project_id is not None:
        get_project(user=owner, project_id=found.project_id, write=True)
    started = rerun_execution(execution_id=found.pk, user=owner, inputs=inputs)
    _tell(started, "Started {id}.", follow=follow, as_json=as_json)


def resolve(
    task: Annotated[str, typer.Argument(help="The task's id, or the beginning of it.", show_default=False)],
    done: Annotated[bool, typer.Option("--done", help="It happened: let the execution go on.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="It did not happen: do it again.")] = False,
    result: Annotated[
        str | None,
        typer.Option("--result", metavar="JSON", help="With --done: what it would have answered."),
    ] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Settle a task whose outcome is in doubt, after you have looked whether it happened.

    `repomill show` names such a task. Nothing repeats it by itself.
    """
    if done == retry:
        raise InvalidInput("Say what became of it.", field="--done", expected="either --done or --retry")
    if result is not None and not done:
        raise InvalidInput("A result belongs to what is done.", field="--result", expected="--done with --result")
    value = _json(result)
    setup_django()
    from backend.apps.workflows.selectors import find_task
    from backend.apps.workflows.services import resolve_task
    from backend.cli.acting_user import acting_user

    settled = resolve_task(
        task_id=find_task(task).pk, user=acting_user(user), outcome="done" if done else "retry", result=value
    )
    if as_json:
        execution = str(settled.execution_id) if settled.execution_id else None
        typer.echo(json.dumps({"id": str(settled.pk), "status": settled.status, "execution": execution}))
    else:
        typer.echo(f"The task {str(settled.pk)[:8]} ({settled.method}) is {settled.status}.")


def _json(text: str | None) -> Any:  # noqa: ANN401
    try:
        return None if text is None else read_json(text)
    except NotJSON as error:
        raise InvalidInput(
            f"The result is not JSON: {error.reason}.",
            field="--result",
            line=error.line,
            column=error.column,
            expected="JSON",
        ) from error


def _found(execution: str, user: str | None) -> dict[str, Any]:
    """Return the two arguments that every control of an execution takes."""
    setup_django()
    from backend.apps.workflows.selectors import find_execution
    from backend.cli.acting_user import acting_user

    return {"execution_id": find_execution(execution).pk, "user": acting_user(user)}


def _tell(execution: WorkflowExecution, said: str, *, follow: bool = False, as_json: bool) -> None:
    """Say what was done, or follow what comes of it; `{id}` stands for the execution's short id."""
    from rich.console import Console

    from backend.apps.workflows.selectors import find_execution
    from backend.cli.commands.run import follow_to_the_end
    from backend.cli.execution_json import brief

    if follow:
        follow_to_the_end(execution.pk, console=Console(), as_json=as_json)
    elif as_json:
        typer.echo(json.dumps(brief(find_execution(str(execution.pk))), indent=2, ensure_ascii=False))
    else:
        short = str(execution.pk)[:8]
        typer.echo(f"{said.format(id=short)} See: repomill show {short}")
