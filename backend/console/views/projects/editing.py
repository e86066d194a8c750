"""One file in a form: what is read with it is what it is written over, and what others did meanwhile is shown first."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from backend.api.errors import status_of
from backend.apps.projects.errors import FileChanged, InvalidPath
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services import workspace_files
from backend.apps.projects.services.file_types import file_type
from backend.apps.projects.services.workspace_files import Expected
from backend.console.pages import said, user_of
from backend.console.shown.file_text import LARGEST_EDITED, Editable, editable, edited
from backend.console.views.workflows import difference
from backend.errors import InvalidInput, NotFound, PermissionRefused, RepomillError

ENDINGS = ("lf", "crlf")


class Editing:
    """One showing of the form. digest: of what was read; empty for a new file."""

    def __init__(self, request: HttpRequest, project: Project) -> None:
        self.request = request
        self.project = project
        self.status = 200
        self.error = self.path_error = self.why_not = ""
        self.differs: list[tuple[str, str]] | None = None
        self.newest: Any = None
        self.has_draft = False
        sent = request.POST
        self.is_new = "path" not in request.GET
        self.path = sent.get("path", "") if self.is_new else request.GET.get("path", "")
        self.digest = sent.get("digest", "")
        self.ending = sent.get("ending", "lf") if sent.get("ending") in ENDINGS else "lf"
        self.text = sent.get("content", "").replace("\r\n", "\n")
        if request.method != "POST":
            self._begin_new() if self.is_new else self._read()

    def save(self) -> bool:
        """Write the file; return False where something is wrong, which the form then says."""
        data = edited(self.text, ending=self.ending)
        try:
            if len(data) > LARGEST_EDITED:
                raise InvalidInput("It is too large for a page.", hint="Write it by the API.", field="content")
            workspace_files.write_file(
                user=user_of(self.request),
                project_id=self.project.pk,
                path=self.path,
                data=data,
                expected=self._expected(),
            )
        except FileChanged as error:
            self._changed(error)
        except (NotFound, PermissionRefused):
            raise
        except RepomillError as error:
            self.status = status_of(error)
            if isinstance(error, InvalidPath):
                self.path_error = said(error)
            else:
                self.error = said(error)
        else:
            return True
        return False

    def context(self) -> dict[str, Any]:
        """Return what the page shows."""
        names = (
            "path",
            "digest",
            "ending",
            "text",
            "error",
            "path_error",
            "why_not",
            "differs",
            "newest",
            "has_draft",
            "is_new",
        )
        shown = {name: getattr(self, name) for name in names}
        return {**shown, "is_draft": True, "language": file_type(self.path)}

    def _expected(self) -> Expected:
        return Expected(digests=frozenset({self.digest})) if self.digest else Expected(absent=True)

    def _begin_new(self) -> None:
        """Let a new file stand beside those of the newest generation: a draft of its own would do away with them."""
        self.has_draft = bool(workspace_files.list_files(self.project, limit=1))
        self.newest = None if self.has_draft else newest_generation(project=self.project, execution_id=None)
        if self.newest is not None:
            self.why_not = "absent"

    def _read(self) -> None:
        """Read what is in the draft. Where it is not, the draft can begin with the newest generation."""
        found = self._there()
        if found is None:
            self.newest = newest_generation(project=self.project, execution_id=None)
            self.has_draft = bool(workspace_files.list_files(self.project, limit=1))
            self.why_not = "absent"
            return
        kept, self.digest = found
        self.text, self.ending, self.why_not = kept.text, kept.ending or "lf", kept.why_not

    def _there(self) -> tuple[Editable, str] | None:
        try:
            opened = workspace_files.open_file(self.project, path=self.path)
        except NotFound:
            return None
        with opened.stream as stream:
            return editable(stream.read(LARGEST_EDITED + 1)), opened.digest

    def _changed(self, error: FileChanged) -> None:
        """Show what is there now beside what was written; to save once more is to know of it."""
        self.status = status_of(error)
        found = self._there()
        if found is None:
            self.digest, self.error = "", "The file was removed meanwhile. Save once more to write it again."
            return
        kept, digest = found
        if self.is_new:
            self.path_error = "There is a file of this name. Choose another one, or change that one."
            return
        self.digest = digest
        self.error = "Somebody has changed the file meanwhile. Save once more to write yours over it."
        self.differs = difference(kept.text, self.text)
