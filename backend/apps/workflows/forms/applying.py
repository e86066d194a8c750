"""Which part of an input schema applies to given values: conditions are decided, references followed. Pure.

What a form cannot draw is left as it stands: whoever makes the fields falls back to JSON there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.apps.workflows.definitions.schema import check

DEEPEST = 12
Schema = Mapping[str, Any]
_DECIDED = ("allOf", "if", "then", "else", "dependentRequired", "dependentSchemas")


def applied(schema: Schema, values: Mapping[str, Any], *, root: Schema | None = None) -> dict[str, Any]:
    """Return one plain object schema: what applies while the inputs are these values.

    root: where `$ref` begins; the schema itself when absent. An `oneOf` or `anyOf` whose branches a constant tells
    apart becomes a choice and the branch that is chosen; another one stays.
    """
    return _applied(schema, values, schema if root is None else root, set())


def _applied(schema: Schema, values: Mapping[str, Any], root: Schema, seen: set[int]) -> dict[str, Any]:
    # What has been taken in once says nothing more; a schema may name itself.
    if id(schema) in seen:
        return {}
    seen.add(id(schema))
    schema = followed(schema, root)
    result = {key: value for key, value in schema.items() if key not in _DECIDED}
    for more in _parts(schema, values, root):
        if isinstance(more, Mapping):
            result = _merged(result, _applied(more, values, root, seen))
    for keyword in ("oneOf", "anyOf"):
        name = discriminator(result, keyword, root)
        if name is not None:
            branches = [followed(branch, root) for branch in result.pop(keyword)]
            needed = [name] if all(name in branch.get("required", ()) for branch in branches) else []
            choice = _choice(branches, name, root)
            result = _merged(result, {"properties": {name: choice}, "required": needed})
            chosen = _chosen(branches, name, values, result, root)
            if chosen is not None:
                rest = {key: value for key, value in chosen.items() if key != "title"}
                rest["properties"] = {key: part for key, part in chosen.get("properties", {}).items() if key != name}
                result = _merged(result, _applied(rest, values, root, seen))
    return result


def followed(schema: Any, root: Schema) -> dict[str, Any]:  # noqa: ANN401  (a schema may be true or false)
    """Return a schema with its `$ref` into the same document replaced by what it names, as far as it leads."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        found: Any = root
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            break
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return dict(schema) if isinstance(schema, Mapping) else {}


def deciding(schema: Schema, *, root: Schema | None = None) -> set[str]:
    """Return the names of the properties on which it depends what else is asked for."""
    return _deciding(schema, schema if root is None else root, set())


def _deciding(schema: Schema, root: Schema, seen: set[int]) -> set[str]:
    if id(schema) in seen:
        return set()
    seen.add(id(schema))
    schema = followed(schema, root)
    names = {*schema.get("dependentRequired", {}), *schema.get("dependentSchemas", {})}
    condition = schema.get("if")
    if isinstance(condition, Mapping):
        names |= {*condition.get("properties", {}), *condition.get("required", ())}
    for keyword in ("oneOf", "anyOf"):
        name = discriminator(schema, keyword, root)
        names |= {name} if name else set()
    inner = [schema.get("then"), schema.get("else"), *schema.get("dependentSchemas", {}).values()]
    for keyword in ("allOf", "oneOf", "anyOf"):
        inner += schema.get(keyword, [])
    for part in inner:
        if isinstance(part, Mapping):
            names |= _deciding(part, root, seen)
    return names


def discriminator(schema: Schema, keyword: str, root: Schema) -> str | None:
    """Return the property that has a constant of its own in every branch, or None."""
    branches = schema.get(keyword)
    if not isinstance(branches, Sequence) or len(branches) < 2:
        return None
    constants = [dict(_constants(followed(branch, root), root)) for branch in branches]
    for name in constants[0]:
        values = [repr(each[name]) for each in constants if name in each]
        if len(values) == len(branches) == len(set(values)):
            return name
    return None


def _constants(branch: Schema, root: Schema) -> Iterator[tuple[str, Any]]:
    for name, part in branch.get("properties", {}).items():
        described = followed(part, root)
        if "const" in described:
            yield name, described["const"]
        elif len(described.get("enum", ())) == 1:
            yield name, described["enum"][0]


def _parts(schema: Schema, values: Mapping[str, Any], root: Schema) -> Iterator[Any]:
    yield from schema.get("allOf", ())
    condition = schema.get("if")
    if condition is not None:
        yield schema.get("then" if _holds(condition, values, root) else "else")
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in values:
            yield {"required": needed}
    for name, more in schema.get("dependentSchemas", {}).items():
        if name in values:
            yield more


def _holds(condition: Any, values: Mapping[str, Any], root: Schema) -> bool:  # noqa: ANN401  (a schema)
    if not isinstance(condition, Mapping):
        return condition is True
    # It may refer to what stands at the root.
    named = {keyword: root[keyword] for keyword in ("$defs", "definitions") if keyword in root}
    return check(dict(values), {**named, **condition}) is None


def _choice(branches: list[dict[str, Any]], name: str, root: Schema) -> dict[str, Any]:
    found = [(dict(_constants(branch, root))[name], branch) for branch in branches]
    titles = {repr(value): str(branch["title"]) for value, branch in found if isinstance(branch.get("title"), str)}
    return {"enum": [value for value, _ in found], "x-titles": titles}


def _chosen(
    branches: list[dict[str, Any]], name: str, values: Mapping[str, Any], result: Schema, root: Schema
) -> dict[str, Any] | None:
    wanted = values.get(name, result["properties"][name].get("default"))
    return next((branch for branch in branches if dict(_constants(branch, root))[name] == wanted), None)


def _merged(first: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return both together: properties of one name are joined, what is needed is added up."""
    result = {**first, **{key: value for key, value in more.items() if key not in {"title", "description"}}}
    properties = dict(first.get("properties", {}))
    for name, part in more.get("properties", {}).items():
        known = properties.get(name)
        if isinstance(known, Mapping) and isinstance(part, Mapping):
            properties[name] = {**known, **part}
        else:
            properties[name] = part if isinstance(part, Mapping) else known or {}
    if properties:
        result["properties"] = properties
    required = [*first.get("required", ()), *more.get("required", ())]
    if required:
        result["required"] = list(dict.fromkeys(required))
    return result
