"""The fields of a form for a workflow's inputs, and its pages. Pure; how they look is the console's.

What cannot be drawn as a field of its own (a list of objects, an object without named parts, alternatives that nothing
tells apart) is one field for JSON text. Two keys of our own are read: `x-pages` of the whole, and `x-credential` of a
text, which is then picked from the credentials the user may use; both are described in the published schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.apps.credentials.hosts import HOSTS
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.forms.applying import Schema, applied, deciding, followed

PREFIX = "in"
"""What the name of every field begins with; the parts of its path follow, as in a JSON Pointer."""
DEEPEST = 4
MOST_FIELDS = 500
"""Fields from which on an object within another is not drawn but asked for as JSON."""
LONG = 200
FORMATS = {"date": "date", "date-time": "datetime", "time": "time", "uri": "url", "email": "email"}
_NUMBERS = {"minimum": "min", "maximum": "max"}
_LENGTHS = {"minLength": "minlength", "maxLength": "maxlength"}


@dataclass(frozen=True)
class Choice:
    """One of what can be chosen. key: what the form sends, the value as JSON."""

    key: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that is asked for.

    kind: text, textarea, integer, number, checkbox, choice, choices, lines, date, datetime, time, url, email, secret,
        credential, json, or group, whose `fields` are asked for together.
    rule: what the value has to be, in words, where the kind does not say it. limits: attributes of HTML.
    numbers: whether the lines are numbers. host: of a credential, the kind of host it is for, or nothing for any.
    decides: whether other fields depend on it.
    """

    path: tuple[str, ...]
    kind: str
    label: str
    help: str = ""
    rule: str = ""
    required: bool = False
    has_default: bool = False
    default: Any = None
    choices: tuple[Choice, ...] = ()
    limits: Mapping[str, str] | None = None
    host: str = ""
    numbers: bool = False
    decides: bool = False
    fields: tuple[Field, ...] = ()

    @property
    def name(self) -> str:
        """The name of its control in HTML."""
        return name_of(self.path)


@dataclass(frozen=True)
class Page:
    """Fields that are shown together. title: empty for the only page."""

    title: str
    description: str
    fields: tuple[Field, ...]


def name_of(path: Sequence[str]) -> str:
    """Return the name of the field at a path of the inputs."""
    return "/".join([PREFIX, *(part.replace("~", "~0").replace("/", "~1") for part in path)])


def pages_of(schema: Schema, values: Mapping[str, Any]) -> tuple[Page, ...]:
    """Return the form for the inputs while they are these values; at least one page."""
    fields = fields_of(schema, values)
    wanted = schema.get("x-pages")
    if not isinstance(wanted, list) or not wanted:
        return (Page("", "", fields),)
    by_name = {field.path[0]: field for field in fields if field.path}
    pages: list[Page] = []
    for page in wanted:
        names = page.get("properties", ()) if isinstance(page, Mapping) else ()
        found = tuple(by_name.pop(name) for name in names if name in by_name)
        if found:
            pages.append(Page(str(page.get("title", "")), str(page.get("description", "")), found))
    rest = tuple(field for field in fields if not field.path or field.path[0] in by_name)
    return (*pages, Page("More", "", rest)) if rest else tuple(pages)


def fields_of(schema: Schema, values: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the fields for the inputs while they are these values."""
    now = applied(schema, values)
    if _has_alternatives(now) or not now.get("properties"):
        return () if _takes_nothing(now) else (_json((), "Inputs", now, required=bool(now.get("required"))),)
    drawing = _Drawing(schema)
    fields = drawing.properties(now, values, (), deciders=deciding(schema))
    secrets = {name for name in now["properties"] if is_secret_input(now, name)}
    fields = tuple(_as_secret(field) if field.path[0] in secrets else field for field in fields)
    if now.get("additionalProperties"):
        fields = (*fields, _json((), "Other inputs", {"description": "What has no field of its own."}, required=False))
    return fields


class _Drawing:
    """Makes fields, and groups of fields as long as there are not too many: a few lines can ask for millions."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.left = MOST_FIELDS

    def properties(
        self, now: Schema, values: Mapping[str, Any], path: tuple[str, ...], *, deciders: set[str]
    ) -> tuple[Field, ...]:
        """Return the fields of an object."""
        needed = set(now.get("required", ()))
        self.left -= len(now["properties"])
        return tuple(
            self._field((*path, name), part, values.get(name), required=name in needed, deciders=deciders)
            for name, part in now["properties"].items()
        )

    def _field(
        self,
        path: tuple[str, ...],
        described: Any,  # noqa: ANN401  (a schema)
        value: Any,  # noqa: ANN401  (JSON)
        *,
        required: bool,
        deciders: set[str],
    ) -> Field:
        schema = followed(described, self.root)
        kind = _kind(schema, self.root)
        if kind == "group":
            return self._group(path, schema, value if isinstance(value, Mapping) else {}, required=required)
        host = schema.get("x-credential")
        return _made(
            path,
            kind,
            schema,
            required=required,
            decides=path[-1] in deciders,
            choices=_choices(schema, self.root),
            limits=_limits(schema),
            numbers=_types(followed(schema.get("items"), self.root)) in (["integer"], ["number"]),
            host=host if isinstance(host, str) and host in HOSTS else "",
        )

    def _group(self, path: tuple[str, ...], schema: Schema, values: Mapping[str, Any], *, required: bool) -> Field:
        now = applied(schema, values, root=self.root)
        if _has_alternatives(now) or len(path) >= DEEPEST or len(now.get("properties", ())) > self.left:
            return _json(path, path[-1], schema, required=required)
        fields = self.properties(now, values, path, deciders=deciding(schema, root=self.root))
        return _made(path, "group", schema, required=required, decides=False, fields=fields)


def _made(path: tuple[str, ...], kind: str, schema: Schema, **more: Any) -> Field:  # noqa: ANN401
    return Field(
        path=path,
        kind=kind,
        label=str(schema.get("title") or path[-1].replace("_", " ").replace("-", " ").capitalize()),
        help=str(schema.get("description", "")),
        rule=_rule(schema, kind),
        has_default="default" in schema,
        default=schema.get("default"),
        **more,
    )


def _kind(schema: Schema, root: Schema) -> str:
    if "const" in schema or _scalars(schema.get("enum")):
        return "choice"
    kinds = _types(schema)
    if len(kinds) != 1 or (("anyOf" in schema or "oneOf" in schema) and kinds != ["object"]):
        return "json"
    kind = kinds[0]
    if kind == "string":
        return _text_kind(schema)
    if kind == "array":
        items = followed(schema.get("items"), root)
        if _scalars(items.get("enum")):
            return "choices"
        return "lines" if _types(items) in (["string"], ["integer"], ["number"]) else "json"
    if kind == "object":
        return "group" if schema.get("properties") and not schema.get("patternProperties") else "json"
    return {"boolean": "checkbox", "integer": "integer", "number": "number"}.get(kind, "json")


def _text_kind(schema: Schema) -> str:
    if schema.get("writeOnly") is True:
        return "secret"
    if schema.get("x-credential"):
        return "credential"
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    long = int(schema.get("maxLength", 0)) > LONG or "\n" in str(schema.get("default", ""))
    return "textarea" if long or schema.get("contentMediaType") else "text"


def _types(schema: Schema) -> list[str]:
    found = schema.get("type")
    kinds = found if isinstance(found, list) else [found]
    return [kind for kind in kinds if isinstance(kind, str) and kind != "null"]


def _scalars(values: Any) -> bool:  # noqa: ANN401  (JSON)
    return isinstance(values, list) and bool(values) and not any(isinstance(value, dict | list) for value in values)


def _choices(schema: Schema, root: Schema) -> tuple[Choice, ...]:
    if _types(schema) == ["array"]:
        schema = followed(schema.get("items"), root)
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    titles = schema.get("x-titles", {}) if isinstance(schema.get("x-titles"), Mapping) else {}
    if not values or not _scalars(list(values)):
        return ()
    return tuple(Choice(json.dumps(value), str(titles.get(repr(value)) or _shown(value))) for value in values)


def _limits(schema: Schema) -> dict[str, str]:
    names = _NUMBERS if {"integer", "number"} & set(_types(schema)) else _LENGTHS
    return {attribute: str(schema[keyword]) for keyword, attribute in names.items() if keyword in schema}


def _rule(schema: Schema, kind: str) -> str:
    """Say what a value has to be, as far as no control says it."""
    said: list[str] = []
    low, high = (schema.get(name) for name in ("minimum", "maximum"))
    if low is not None and high is not None:
        said.append(f"from {low} to {high}")
    elif low is not None or high is not None:
        said.append(f"at least {low}" if high is None else f"at most {high}")
    if "maxLength" in schema and kind in {"text", "textarea"}:
        said.append(f"at most {schema['maxLength']} characters")
    if kind == "lines":
        said.append("one per line")
    if kind == "json":
        said.append("JSON")
    pattern = schema.get("pattern") or (schema.get("items") or {}).get("pattern") if kind in {"text", "lines"} else None
    if pattern:
        said.append(f"of the form {pattern}")
    return ", ".join(said)


def _json(path: tuple[str, ...], label: str, schema: Schema, *, required: bool) -> Field:
    return Field(
        path=path,
        kind="json",
        label=str(schema.get("title") or label.replace("_", " ").capitalize()),
        help=str(schema.get("description", "")),
        rule="JSON",
        required=required,
        has_default="default" in schema,
        default=schema.get("default"),
    )


def _as_secret(field: Field) -> Field:
    return Field(path=field.path, kind="secret", label=field.label, help=field.help, required=field.required)


def _has_alternatives(schema: Schema) -> bool:
    return "oneOf" in schema or "anyOf" in schema or "$ref" in schema


def _takes_nothing(schema: Schema) -> bool:
    """Return whether a workflow asks for no inputs; one that says nothing of them is not offered a box for JSON."""
    return not (_has_alternatives(schema) or schema.get("required") or schema.get("additionalProperties"))


def _shown(value: Any) -> str:  # noqa: ANN401  (JSON)
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "nothing"}[value]
    return str(value)
