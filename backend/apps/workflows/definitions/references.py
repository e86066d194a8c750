"""Finds the schemas within a schema, by their places and by its references. Pure, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_KEYWORDS = ("$ref", "$dynamicRef")
_META = Draft202012Validator(Draft202012Validator.META_SCHEMA)

Schema = Resource[Any]


class StrayReference(Exception):
    """A reference, the exception's text, leads to no schema."""


def schemas_in(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a valid schema and all those in it.

    Raises StrayReference for one that leads to no schema, in it or among JSON Schema's own; RecursionError where it is
    nested too deeply, and ValueError for an `$id` that is no address.
    """
    root = DRAFT202012.create_resource(schema)
    found = list(_schemas(root, REGISTRY.resolver_with_root(root)))
    known = {id(each.contents) for each, _ in found}
    # It grows by what lies where no keyword knows of schemas.
    for each, resolver in found:
        for reference in (each.contents[keyword] for keyword in _KEYWORDS if keyword in each.contents):
            try:
                target = resolver.lookup(reference)
            except Unresolvable:
                raise StrayReference(reference) from None
            if reference.partition("#")[0] in REGISTRY or id(target.contents) in known:
                continue
            if not _META.is_valid(target.contents):
                raise StrayReference(reference)
            known.add(id(target.contents))
            found += _schemas(DRAFT202012.create_resource(target.contents), target.resolver)
    return [each.contents for each, _ in found]


def _schemas(schema: Schema, resolver: Any) -> Iterator[tuple[Schema, Any]]:  # noqa: ANN401  (its type is not public)
    """Yield a schema and those in it, each with what resolves its references; those that are true or false left out."""
    if not isinstance(schema.contents, Mapping):
        return
    yield schema, resolver
    for part in schema.subresources():
        yield from _schemas(part, resolver.in_subresource(part))
