"""Tasks of ProjectGenerator: one for each method.

`generate` and `package_project` work on the execution's generation and record it. The others work on the project's
own workspace, for callers that build a project file by file. `remove_project` clears up after one that was deleted.
"""

from __future__ import annotations

from typing import Any

from backend.apps.projects.services import deletion
from backend.apps.projects.services import generations as services
from workers.call import TaskCall
from workers.service_task import service_task


@service_task("generation.generate")
def generate(
    call: TaskCall,
    *,
    structure: dict[str, Any] | None = None,
    files: list[dict[str, Any]] | None = None,
    templates: list[dict[str, Any]] | None = None,
    gitignore: list[str] | None = None,
    readme: str | None = None,
    based_on: str | None = None,
    remove: list[str] | None = None,
) -> dict[str, Any]:
    """Generate into the execution's own workspace, and commit it."""
    content: dict[str, Any] = {
        "structure": structure,
        "files": files,
        "templates": templates,
        "gitignore": gitignore,
        "readme": readme,
    }
    return services.generate(
        **call.work,
        task_id=call.task.id,
        fence=call.require_newest,
        gives_up=call.gives_up,
        based_on=based_on,
        remove=remove,
        **content,
    )


@service_task("generation.package_project")
def package_project(call: TaskCall, *, format: str = "zip") -> dict[str, Any]:
    """Package the execution's generation."""
    return services.package(**call.work, format=format)


@service_task("generation.create_directory")
def create_directory(call: TaskCall, *, path: str) -> dict[str, Any]:
    """Create a directory in the project's workspace."""
    return {"path": str(call.generator.create_directory(path))}


@service_task("generation.write_file")
def write_file(call: TaskCall, *, path: str, content: str, encoding: str = "utf-8") -> dict[str, Any]:
    """Write one file into the project's workspace."""
    return {"path": str(call.generator.write_file(path, content, encoding))}


@service_task("generation.generate_project_structure")
def generate_project_structure(call: TaskCall, *, structure: dict[str, Any]) -> dict[str, Any]:
    """Write a whole structure into the project's workspace."""
    return {"created": len(call.generator.generate_project_structure(structure))}


@service_task("generation.generate_from_template")
def generate_from_template(
    call: TaskCall, *, template_path: str, output_path: str, context: dict[str, Any]
) -> dict[str, Any]:
    """Render one template into the project's workspace."""
    return {"path": str(call.generator.generate_from_template(template_path, output_path, context))}


@service_task("generation.initialize_git_repository")
def initialize_git_repository(call: TaskCall) -> dict[str, Any]:
    """Make the project's git store, where there is none yet."""
    return {"initialized": call.generator.initialize_git_repository()}


@service_task("generation.create_gitignore")
def create_gitignore(call: TaskCall, *, patterns: list[str]) -> dict[str, Any]:
    """Write the project's .gitignore."""
    return {"path": str(call.generator.create_gitignore(patterns))}


@service_task("generation.create_readme")
def create_readme(call: TaskCall, *, content: str) -> dict[str, Any]:
    """Write the project's README.md."""
    return {"path": str(call.generator.create_readme(content))}


@service_task("generation.cleanup")
def cleanup(call: TaskCall) -> dict[str, Any]:
    """Remove the project's workspace."""
    call.generator.cleanup()
    return {"removed": True}


@service_task("generation.remove_project")
def remove_project(call: TaskCall, *, project_id: str, generations: list[str]) -> dict[str, Any]:  # noqa: ARG001  (every task gets its call)
    """Remove the files of a project that was deleted."""
    deletion.remove_files(project_id=project_id, generations=generations)
    return {"removed": len(generations)}
