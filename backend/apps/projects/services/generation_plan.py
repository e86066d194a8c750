"""What a `file_generation` step asks for, worked out in full before the first byte is written.

Structure, files, templates, .gitignore and README become one plan: all templates rendered in one go, all names and
sizes validated together, no path claimed twice. This module writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.structure import Plan, make_plan, read_structure, to_bytes
from backend.apps.projects.services.templates import TemplateLimits, TemplateSource, render_templates
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import InvalidInput, NotFound

_FILE_FIELDS = {"path", "content", "template", "context", "encoding", "executable"}
_TEMPLATE_FIELDS = {"output_path", "template", "template_path", "context", "encoding", "executable"}


class GenerationPlan:
    """Collects what is asked for; `finish` renders, validates and returns it."""

    def __init__(self, *, templates_directory: Path, limits: Limits) -> None:
        self._templates_directory = templates_directory
        self._limits = limits
        self._items: list[NewFile | str] = []
        self._rendered: list[tuple[Mapping[str, Any], str]] = []
        self._sources: list[TemplateSource] = []

    def add_structure(self, structure: Mapping[str, Any]) -> None:
        """Add a structure definition. Raises InvalidInput."""
        self._items.extend(read_structure(structure, limits=self._limits))

    def add_file(self, item: Mapping[str, Any], *, place: str) -> None:
        """Add one of `files`: {path, content | template, context?, encoding?, executable?}. Raises InvalidInput."""
        _require_fields(item, _FILE_FIELDS, required="path", place=place)
        _require_one(item, "content", "template", place=place)
        if "content" in item:
            if "context" in item:
                raise InvalidInput("Only a template has a context.", field=f"{place}.context")
            path, encoding = item["path"], item.get("encoding", "utf-8")
            self.add_text(path, item["content"], encoding=encoding, executable=_executable(item, path))
        else:
            self._add_template(item, item["path"], item["template"], name=item["path"])

    def add_template(self, item: Mapping[str, Any], *, place: str) -> None:
        """Add one of `templates`: {output_path, template | template_path, context?, encoding?, executable?}.

        Raises InvalidInput, InvalidPath, or NotFound when there is no such template.
        """
        _require_fields(item, _TEMPLATE_FIELDS, required="output_path", place=place)
        _require_one(item, "template", "template_path", place=place)
        if "template" in item:
            self._add_template(item, item["output_path"], item["template"], name=item["output_path"])
        else:
            path = item["template_path"]
            self._add_template(item, item["output_path"], self._read_template(path), name=path)

    def add_text(self, path: str, content: str, *, encoding: str = "utf-8", executable: bool = False) -> None:
        """Add one file by its text. Raises InvalidInput."""
        self._items.append(NewFile(path, to_bytes(content, encoding=encoding, path=path), executable))

    def finish(self) -> Plan:
        """Render every template, validate everything, and return it.

        Raises InvalidTemplate, InvalidInput, InvalidPath or QuotaExceeded.
        """
        if self._sources:
            # Names first: a process need not start for what is refused anyway.
            claimed = (NewFile(path, b"") for _, path in self._rendered)
            make_plan([*self._items, *claimed], limits=self._limits)
        texts = render_templates(self._sources)
        return make_plan([*self._items, *self._finished(texts)], limits=self._limits)

    def _finished(self, texts: list[str]) -> Iterator[NewFile]:
        for (item, path), text in zip(self._rendered, texts, strict=True):
            data = to_bytes(text, encoding=item.get("encoding", "utf-8"), path=path)
            yield NewFile(path, data, _executable(item, path))

    def _add_template(self, item: Mapping[str, Any], path: str, source: str, *, name: str) -> None:
        self._rendered.append((item, path))
        self._sources.append(TemplateSource(name, source, item.get("context", {})))

    def _read_template(self, path: str) -> str:
        limit = TemplateLimits().source_bytes
        try:
            with Workspace(self._templates_directory).open(path) as file:
                return file.read(limit + 1).decode()
        except NotFound as error:
            raise NotFound(
                f"There is no template {path!r}.",
                path=path,
                hint="Ask an operator to put it below PROJECT_TEMPLATES_DIR, or give its text as `template`.",
            ) from error
        except UnicodeDecodeError as error:
            raise InvalidInput(f"The template {path!r} is not UTF-8 text.", path=path) from error


def _require_fields(item: Mapping[str, Any], known: set[str], *, required: str, place: str) -> None:
    if not isinstance(item, Mapping):
        raise InvalidInput(f"{place} is not an object.", field=place, expected=sorted(known))
    unknown = sorted(map(str, item.keys() - known))
    if unknown:
        raise InvalidInput(
            f"{place} has no field {unknown[0]!r}.", field=f"{place}.{unknown[0]}", expected=sorted(known)
        )
    if not isinstance(item.get(required), str):
        raise InvalidInput(f"{place} needs {required!r}, a path.", field=f"{place}.{required}", expected="a path")


def _require_one(item: Mapping[str, Any], first: str, second: str, *, place: str) -> None:
    if (first in item) == (second in item):
        raise InvalidInput(f"{place} needs either {first!r} or {second!r}.", field=place, expected=[first, second])


def _executable(item: Mapping[str, Any], path: str) -> bool:
    executable = item.get("executable", False)
    if not isinstance(executable, bool):
        raise InvalidInput(
            f"{path!r} is either executable or not.", field="executable", path=path, expected=[True, False]
        )
    return executable


def require_texts(values: Sequence[str], *, field: str) -> list[str]:
    """Return a list of texts. Raises InvalidInput when it is anything else."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        raise InvalidInput(f"{field} is a list of lines.", field=field, expected="a list of texts")
    return list(values)


def new_plan(*, limits: Limits) -> GenerationPlan:
    """Return an empty plan that finds its templates below PROJECT_TEMPLATES_DIR."""
    return GenerationPlan(templates_directory=Path(settings.PROJECT_TEMPLATES_DIR), limits=limits)


def plan_of(
    *,
    structure: Mapping[str, Any] | None = None,
    files: Sequence[Mapping[str, Any]] | None = None,
    templates: Sequence[Mapping[str, Any]] | None = None,
    gitignore: Sequence[str] | None = None,
    readme: str | None = None,
    limits: Limits,
) -> Plan:
    """Return the plan of everything that `ProjectGenerator.generate` can be asked for. Raises as that does."""
    plan = new_plan(limits=limits)
    if structure is not None:
        plan.add_structure(structure)
    for number, item in enumerate(_list(files, field="files")):
        plan.add_file(item, place=f"files[{number}]")
    for number, item in enumerate(_list(templates, field="templates")):
        plan.add_template(item, place=f"templates[{number}]")
    if gitignore is not None:
        plan.add_text(".gitignore", "".join(f"{line}\n" for line in require_texts(gitignore, field="gitignore")))
    if readme is not None:
        plan.add_text("README.md", readme)
    return plan.finish()


def _list(items: Sequence[Mapping[str, Any]] | None, *, field: str) -> Sequence[Mapping[str, Any]]:
    if items is None:
        return ()
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Sequence):
        raise InvalidInput(f"{field} is a list of objects.", field=field, expected="a list")
    return items
