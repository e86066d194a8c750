"""What the forms for bulk exports and credentials ask for, as input schemas; and the parts that such forms consist of.

A form is drawn from a schema as that of a workflow is (decision 0059). What the schema lets through the services judge,
and their errors stand at the fields that they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.apps.credentials.hosts import HOSTS
from backend.apps.exports.destination import ARCHIVES
from backend.apps.exports.repository_options import EXPORT_TYPES, REPOSITORY_OPTIONS

Schema = dict[str, Any]
PATTERN_HELP = "A pattern: {slug}, {id} and {owner} are filled in for each project, such as backup-{slug}."
BULK_FIELDS = ("selection", "export_type", "destination", "skip_unchanged", "window")


def bulk_schema() -> Schema:
    """Return what is asked for to start a bulk export."""
    name = text("Name", "By which you will know it; it may be left empty.", most=200)
    names = ("name", *BULK_FIELDS)
    return {
        "type": "object",
        "required": ["selection", "export_type"],
        "properties": {"name": name, **export_properties()},
        "allOf": destinations(),
        "x-pages": [{"title": "", "properties": list(names)}],
    }


def credential_schema() -> Schema:
    """Return what is asked for to add a credential. Its project is asked for beside it."""
    check = {"type": "boolean", "default": True, "title": "Ask the host first whether it accepts it"}
    check["description"] = "What it rejects is not kept."
    address = text("Address", "Of a server of your own, such as https://git.example.org.", most=1000)
    return {
        "type": "object",
        "required": ["name", "host", "value"],
        "properties": {
            "name": text("Name", "A word in lower case, such as acme-bot; workflows name it so.", most=63),
            "host": enum("Host", {kind.name: kind.title for kind in HOSTS.values()}, default="github"),
            "base_url": address,
            **value_schema()["properties"],
        },
        "allOf": [
            {
                "if": {"properties": {"host": {"const": "git"}}, "required": ["host"]},
                "then": {
                    "required": ["base_url"],
                    "properties": {"username": text("User name", "What goes with it; git where left empty.", most=100)},
                },
                "else": {"properties": {"check_with_host": check}},
            }
        ],
        "x-pages": [page("", ["name", "host", "base_url", "username", "value", "check_with_host"])],
    }


def value_schema(*, check: bool = False) -> Schema:
    """Return what is asked for to give a credential another value. check: whether its host can be asked."""
    value = {"type": "string", "writeOnly": True, "minLength": 1, "title": "Token or password"}
    properties: Schema = {"value": value}
    if check:
        properties["check_with_host"] = {
            "type": "boolean",
            "default": True,
            "title": "Ask the host first whether it accepts it",
            "description": "What it rejects is not taken, and the old one stays.",
        }
    return {"type": "object", "required": ["value"], "properties": properties}


def bulk_wish(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bulk export is to be from the answers of its form."""
    return {name: answers[name] for name in BULK_FIELDS if name in answers}


def export_properties() -> Schema:
    """Return what is asked for of every export: which projects, and where to."""
    kinds = {"all": "Every project that I may export", "owner": "Those of one owner"}
    kinds |= {"label": "Those with a label", "list": "These projects"}
    selection: Schema = {
        "type": "object",
        "title": "Which projects",
        "required": ["kind"],
        "properties": {
            "kind": enum("Projects", kinds, default="all"),
            "changed_only": {
                "type": "boolean",
                "default": False,
                "title": "Only those that have changed",
                "description": "The others are not even listed as left out.",
            },
        },
        "allOf": [
            when("kind", "owner", {"owner": text("Owner", "A user's name.", most=150)}, required=["owner"]),
            when("kind", "label", {"label": text("Label", "As projects bear it.", most=150)}, required=["label"]),
            when(
                "kind",
                "list",
                {"projects": lines("Projects by name", "Slugs or ids.")},
                required=["projects"],
            ),
        ],
    }
    titles = {"zip": "Archive, zip", "tar": "Archive, tar", "tar.gz": "Archive, tar.gz"}
    titles |= {"github": "GitHub", "gitlab": "GitLab", "git": "A git server"}
    return {
        "selection": selection,
        "export_type": enum("Where to", {kind: titles[kind] for kind in EXPORT_TYPES}, default="zip"),
        "skip_unchanged": {
            "type": "boolean",
            "default": True,
            "title": "Leave out what the destination has already",
            "description": "Compared by content; what was left out is told.",
        },
        "window": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "title": "How many at once",
            "description": "In flight at most; where left empty, 512 archives or 32 repositories.",
        },
    }


def destinations() -> list[Schema]:
    """Return what each destination asks for beside its type."""
    return [
        when("export_type", kind, {"destination": _destination(kind)}, required=["destination"])
        for kind in EXPORT_TYPES
        if kind not in ARCHIVES
    ]


def _destination(kind: str) -> Schema:
    known: Schema = {
        "credential": {
            "type": "string",
            "title": "Credential",
            "x-credential": True if kind == "git" else kind,
            "description": "" if kind != "git" else "For a repository by its address.",
        },
        "repository_name": text("Repositories' names", PATTERN_HELP, most=500),
        "url": text("Repositories' addresses", f"https, for servers without an API. {PATTERN_HELP}", most=500),
        "organization": text("Organisation", "Where left empty, the credential's own account.", most=500),
        "namespace": text("Group", "Where left empty, the credential's own account.", most=500),
        "private": {"type": "boolean", "default": True, "title": "Private repositories"},
        "visibility": enum("Who sees them", {name: name.capitalize() for name in ("private", "internal", "public")}),
        "description": text("Description", "May be a pattern, too.", most=200),
        "topics": lines("Topics", ""),
        "branch": text("Branch", "main where left empty.", most=200),
    }
    order = [name for name in known if name in REPOSITORY_OPTIONS[kind]]
    if kind == "git":
        known["repository_name"]["description"] = f"For repositories on this machine. {PATTERN_HELP}"
    return {
        "type": "object",
        "title": "The repositories",
        "required": [] if kind == "git" else ["credential", "repository_name"],
        "properties": {name: known[name] for name in order},
    }


def when(name: str, value: str, properties: Schema, *, required: list[str]) -> Schema:
    """Return what is asked for only while a field has a value."""
    condition = {"properties": {name: {"const": value}}, "required": [name]}
    return {"if": condition, "then": {"properties": properties, "required": required}}


def page(title: str, properties: list[str]) -> Schema:
    """Return a page of a form: which fields are on it."""
    return {"title": title, "properties": properties}


def text(title: str, about: str, *, most: int) -> Schema:
    """Return a line of text. about: what it is for."""
    # A text area begins with more characters than a line of a form shows; these are all lines.
    return {"type": "string", "title": title, "description": about, **({"maxLength": most} if most <= 200 else {})}


def lines(title: str, about: str) -> Schema:
    """Return several texts, one a line."""
    return {"type": "array", "items": {"type": "string"}, "title": title, "description": about}


def enum(title: str, titles: Mapping[str, str], *, default: str | None = None) -> Schema:
    """Return one of several values, each with its words."""
    named = {repr(value): words for value, words in titles.items()}
    more = {} if default is None else {"default": default}
    return {"enum": list(titles), "x-titles": named, "title": title, **more}
