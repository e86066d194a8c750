"""What a run's generation would hold, worked out in memory: nothing is written, committed or recorded.

The files come from the same plans, and follow each other by the same rules, as those of `generations`. How they differ
from what the project has is `dry_tree`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services.changes import Changes, changes_to, require_paths
from backend.apps.projects.services.content import Content
from backend.apps.projects.services.generation_plan import plan_of
from backend.apps.projects.services.generation_records import base_of
from backend.apps.projects.services.limits import MIB, Limits
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.workspace import NewFile
from backend.apps.workflows.definitions.unknown import Unknown, is_known, unknowns
from backend.apps.workflows.previews import Unclear
from backend.errors import Conflict, InvalidInput

LIMITS = Limits(files=10_000, directories=10_000, total_bytes=64 * MIB)
"""What is held in memory for a look; a real generation may be larger."""
NOTHING = Content((), ())

_MARK = re.compile("«[^»]*»")
_LISTS_AND_MAPPINGS = ("structure", "files", "templates", "gitignore")


@dataclass
class DryGeneration:
    """A generation of a project, or of none. content: what it would hold; None before the first step has generated.

    data: the files among them whose bytes are known, by path: what the run's own steps write. base: the generation it
    begins with. open_marks: what stands in them for values that are not known. incomplete: why files may be missing.
    """

    project: Project | None
    content: Content | None = None
    base: GeneratedProject | None = None
    data: dict[str, NewFile] = field(default_factory=dict)
    open_marks: set[bytes] = field(default_factory=set)
    incomplete: list[str] = field(default_factory=list)

    def generate(self, arguments: Mapping[str, Any], *, origin: str) -> Changes | None:
        """Add what one step generates, and return what it changes; None where nothing of it is known.

        Raises InvalidInput and its kin as `generations.generate` does, and Unclear.
        """
        content = dict(arguments)
        based_on, remove = content.pop("based_on", None), content.pop("remove", None)
        if isinstance(based_on, Unknown) or isinstance(remove, Unknown):
            raise Unclear("Which files it begins with, or removes, is not known yet.")
        unknown = [name for name in _LISTS_AND_MAPPINGS if isinstance(content.get(name), Unknown)]
        for name in unknown:
            del content[name]
            self.incomplete.append(f"The {name} of {origin.removesuffix('.result')} is not known yet.")
        before = self._begun(based_on)
        if unknown and not content and not remove:
            self.content = before
            return None
        try:
            changes = changes_to(
                base=before,
                plan=plan_of(**content, limits=LIMITS),
                keep=True,
                remove=require_paths(remove),
                limits=LIMITS,
            )
        except InvalidInput as error:
            if error.place.get("maximum") in {LIMITS.files, LIMITS.directories, LIMITS.total_bytes}:
                raise Unclear("It generates more than a dry run holds in memory.") from error
            if is_known(arguments):
                raise
            raise Unclear(f"It depends on values that are not known yet. {error.message}") from error
        self._take(changes, content)
        return changes

    def _begun(self, based_on: str | None) -> Content:
        if self.content is not None:
            if based_on is not None and (self.base is None or based_on not in {str(self.base.pk), "latest"}):
                raise Conflict(
                    "The generation has files already, which it did not begin with that one.",
                    field="based_on",
                    hint="Give based_on to the first step that generates files.",
                )
            return self.content
        if based_on is None or self.project is None:
            return NOTHING
        self.base = base_of(GeneratedProject(project=self.project), based_on)
        found = NOTHING if self.base is None else recorded_content(self.base)
        if found is None:
            raise Conflict("The files of the generation it begins with are not recorded as they were committed.")
        return found

    def _take(self, changes: Changes, content: Mapping[str, Any]) -> None:
        for path in changes.removed:
            self.data.pop(path, None)
        self.data.update((file.path, file) for file in changes.files)
        self.content = changes.content
        for text in unknowns(content):
            self.open_marks.update(mark.encode() for mark in _MARK.findall(text))
