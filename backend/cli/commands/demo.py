"""`repomill demo`: the main job from its beginning to its end, on the embedded stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from rich.console import Console

    from backend.apps.authentication.models import User
    from backend.apps.projects.models import Project
    from backend.apps.workflows.models import WorkflowExecution

DEMO = "demo"


def demo(
    name: Annotated[str, typer.Option("--name", help="What the published service is called.")] = "hello-service",
    flower: Annotated[bool, typer.Option("--flower/--no-flower", help="Start Flower as well.")] = True,
) -> None:
    """Publish a small web service: call the API, generate it, package it, push it, and show each step.

    Starts the embedded stack where none runs, and stops it again at the end.
    """
    from rich.console import Console

    from backend.cli.stack.background import background_stack
    from backend.config.environment import ROOT, load

    console = Console()
    workflow = ROOT / "examples" / "publish-service" / "workflow.yaml"
    console.print(
        f"[bold]Repomill demo[/bold]  A workflow calls an API, generates a project, packages it and pushes it.\n"
        f"[dim]The definition: {workflow.relative_to(ROOT)}. Everything is kept in {load().data_dir}[/dim]\n"
    )
    console.print("[dim]Starting broker, web, workers, beat and Flower ...[/dim]")
    with background_stack(load().data_dir, flower=flower) as info:
        console.print(f"[green]✓[/green] The stack runs: {info.web_url}\n")
        execution = _publish(workflow, name, console)
        if execution.status == "completed":
            _tell(execution, console)
    if execution.status != "completed":
        console.print("\nThe demo did not finish. The processes' output is in", str(load().data_dir / "log"))
        raise typer.Exit(1)


def _publish(workflow: Path, name: str, console: Console) -> WorkflowExecution:
    setup_django()
    from backend.apps.workflows.definitions.check import read_definition_file
    from backend.apps.workflows.services import save_definition, start_execution
    from backend.cli.following import follow

    user = _demo_user()
    project = _demo_project(user)
    execution = start_execution(
        version=save_definition(read_definition_file(workflow)),
        inputs={"project": str(project.pk), "name": name},
        user=user,
        project_id=project.pk,
        project_name=project.slug,
    )
    return follow(execution, console)


def _demo_user() -> User:
    from backend.apps.authentication.models import User

    user, made = User.objects.get_or_create(username=DEMO)
    if made:
        # Nobody logs in as the demo's user; its token is made where the work is done.
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _demo_project(user: User) -> Project:
    from backend.apps.projects.models import Project
    from backend.apps.projects.services.planning import create_project

    return Project.objects.filter(slug=DEMO, owner=user).first() or create_project(user=user, name="Demo")


def _tell(execution: WorkflowExecution, console: Console) -> None:
    """Say where the story, the archive and the repository are, and how to look at them."""
    from rich.text import Text

    from backend.cli.execution_view import size

    results: dict[str, Any] = {name: step.get("result") for name, step in execution.state["steps"].items()}
    story, publish = results["story"], results["publish"]
    archive, generation = publish["archive"], publish["generation"]
    rows = [
        (
            "Story",
            f"{story['title']} ({story['id']})",
            f"GET /api/v1/stories/{story['id']}/   (with the stack running: make up)",
        ),
        (
            "Files",
            f"{generation['total_files']} files, {size(generation['total_size'])}",
            f"ls -R {generation['output_directory']}",
        ),
        (
            "Archive",
            f"{archive['format']}, {size(archive['size'])}, sha256 {archive['digest']}",
            f"tar tzvf {archive['path']}",
        ),
        (
            "Repository",
            f"branch {publish['default_branch']}, commit {publish['commit'][:12]}"
            + ("" if publish["pushed"] else " (was there already: nothing to push)"),
            f"git clone {publish['clone_url']} {publish['full_name'].removesuffix('.git').rsplit('/')[-1]}",
        ),
    ]
    console.print("\n[bold]What there is now[/bold]")
    for what, is_what, look in rows:
        # Never folded: a command must be whole to be copied.
        console.print(Text.assemble((f"  {what:11}", "bold"), is_what), soft_wrap=True)
        console.print(Text(f"    {look}", "cyan"), soft_wrap=True)
    console.print(
        "\n[bold]Go on[/bold]\n"
        "  [cyan]make up[/cyan]                                 run the stack: API, workers, Flower\n"
        "  [cyan].venv/bin/repomill show last --events[/cyan]   this run again, event by event\n"
        "  [cyan].venv/bin/repomill --help[/cyan]               everything else"
    )
