"""ProjectGenerator: makes the files of a project.

Every method that writes checks everything it is asked for before the first byte is written, is the workspace's only
writer while it works, and may be repeated: the same input gives the same tree.

What a path may be is `paths`', what a structure means `structure`'s, how bytes get to the disk `workspace`'s. The
history of a project lies in its git store outside the workspace, and archives lie in ARCHIVES_DIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.generation_plan import new_plan, plan_of, require_texts
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.errors import InvalidInput


class ProjectGenerator:
    """The workspace of one generation of a project, or of the project itself when no generation is named.

    project_id, generation_id: UUIDs; the workspace is named by the latter, the git store by the former.
    limits: how large the workspace may become; the defaults of `Limits` when absent. fence: see `Workspace`.
    Raises InvalidInput for an id that is no UUID.
    """

    def __init__(
        self,
        project_id: str,
        *,
        generation_id: str | None = None,
        limits: Limits | None = None,
        fence: Fence = no_fence,
    ) -> None:
        self.project_id = require_uuid(project_id, field="project_id")
        self.generation_id = None if generation_id is None else require_uuid(generation_id, field="generation_id")
        self.limits = limits or Limits()
        self.base_dir = Path(settings.GENERATED_PROJECTS_DIR) / (self.generation_id or self.project_id)
        self.workspace = Workspace(self.base_dir, limits=self.limits, fence=fence)
        self.workspace.create()

    def create_directory(self, path: str) -> Path:
        """Create a directory with its parents and return where it is.

        Raises InvalidPath, QuotaExceeded or WorkspaceBusy, as every method below that writes.
        """
        return self.workspace.make_directory(path)

    def write_file(self, path: str, content: str, encoding: str = "utf-8") -> Path:
        """Write one file, exactly as given, and return where it is.

        encoding: a text encoding that Python knows, or base64 for content that is no text.
        Raises InvalidInput when the content cannot be written so.
        """
        plan = new_plan(limits=self.limits)
        plan.add_text(path, content, encoding=encoding)
        return self._write(plan.finish())[path]

    def generate_project_structure(self, structure: Mapping[str, Any]) -> dict[str, Path]:
        """Write a structure (see `structure` for its forms) and return where each of its files is.

        Raises InvalidInput that names the place.
        """
        plan = new_plan(limits=self.limits)
        plan.add_structure(structure)
        return self._write(plan.finish())

    def generate_from_template(self, template_path: str, output_path: str, context: Mapping[str, Any]) -> Path:
        """Render a template from PROJECT_TEMPLATES_DIR into a file and return where it is.

        Raises NotFound when there is no such template, InvalidTemplate when it cannot be rendered.
        """
        template = {"template_path": template_path, "output_path": output_path, "context": context}
        return self.generate(templates=[template])[output_path]

    def create_gitignore(self, patterns: Sequence[str]) -> Path:
        """Write .gitignore, one pattern a line, and return where it is. Raises InvalidInput."""
        return self.generate(gitignore=require_texts(patterns, field="patterns"))[".gitignore"]

    def create_readme(self, content: str) -> Path:
        """Write README.md and return where it is. Raises InvalidInput."""
        return self.write_file("README.md", content)

    def generate(
        self,
        *,
        structure: Mapping[str, Any] | None = None,
        files: Sequence[Mapping[str, Any]] | None = None,
        templates: Sequence[Mapping[str, Any]] | None = None,
        gitignore: Sequence[str] | None = None,
        readme: str | None = None,
    ) -> dict[str, Path]:
        """Write everything a `file_generation` step asks for, and return where each file is.

        structure: as for `generate_project_structure`.
        files: a list of {path, content | template, context?, encoding?, executable?}.
        templates: a list of {output_path, template | template_path, context?, encoding?, executable?}.
        gitignore: the patterns of .gitignore; readme: the text of README.md.
        Raises InvalidInput, InvalidTemplate or NotFound, and InvalidPath also where two of them name one path.
        """
        plan = plan_of(
            structure=structure,
            files=files,
            templates=templates,
            gitignore=gitignore,
            readme=readme,
            limits=self.limits,
        )
        return self._write(plan)

    def initialize_git_repository(self) -> bool:
        """Make the project's git store, which lies outside the workspace. True when there is one, new or old."""
        GitStore.for_project(self.project_id).create()
        return True

    def package_project(self, format: str = "zip") -> Path:
        """Package the workspace into ARCHIVES_DIR and return where the archive is, replacing an earlier one.

        format: zip, tar or tar.gz. Raises InvalidInput for another.
        """
        target = Path(settings.ARCHIVES_DIR) / f"{self.base_dir.name}.{format}"
        return write_archive(workspace=self.workspace, target=target, format=format, top=None).path

    def cleanup(self) -> None:
        """Remove the workspace; nothing happens when it is gone. History and archives stay. Raises WorkspaceBusy."""
        self.workspace.remove()

    def _write(self, plan: Plan) -> dict[str, Path]:
        return self.workspace.write_many(plan.files, plan.directories)


def require_uuid(value: str, *, field: str) -> str:
    """Return an id in its one form. Raises InvalidInput, naming the field, for what is no UUID."""
    text = str(value)
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = ""
    if not canonical or canonical != text.lower():
        raise InvalidInput(
            f"{field} {text[:60]!r} is no UUID.",
            field=field,
            expected="a UUID such as 0b5ae8b4-2a3c-4d3e-9f10-1c2d3e4f5a6b",
        )
    return canonical
