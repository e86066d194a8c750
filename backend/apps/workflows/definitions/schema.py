"""The JSON Schema of definitions, and the words for what does not fit it.

Nothing is fetched: what a schema refers to is in it, or is one of JSON Schema's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing.exceptions import Unresolvable

from backend.apps.workflows.definitions.bounded import TooMuchEffort, checker
from backend.apps.workflows.definitions.patterns import is_searchable
from backend.apps.workflows.definitions.references import StrayReference, schemas_in

Path = tuple[str | int, ...]

STEP_ID = "^[a-z][a-z0-9_]{0,62}$"
EXPRESSION = {"type": "string"}

STEP_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "type"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": STEP_ID, "description": "How other steps refer to this one."},
        "name": {"type": "string", "maxLength": 200, "description": "What people read; the id when absent."},
        "type": {"type": "string", "description": "What the step does."},
        "config": {"type": "object", "description": "What the step's type needs to know."},
        "depends_on": {
            "type": "array",
            "items": {"type": "string"},
            "uniqueItems": True,
            "description": "The steps that must have finished before. When absent: the step above.",
        },
        "condition": {**EXPRESSION, "description": "The step is skipped where this expression is false."},
        "max_retries": {
            "type": "integer",
            "minimum": 0,
            "maximum": 100,
            "default": 10,
            "description": "How often a failure that may pass is tried again.",
        },
        "timeout_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": 86_400,
            "description": "How long each of the step's tasks may take.",
        },
        "continue_on_error": {
            "type": "boolean",
            "default": False,
            "description": "Whether the steps after this one start even where it has failed.",
        },
        "each": {
            **EXPRESSION,
            "description": "The step is repeated for every item of the list that this expression yields; in config,"
            " expressions then read `item` and `item_index` (from 0), and the result is the list of the results.",
        },
        "max_parallel": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": 10,
            "description": "How many items of `each` may be in flight at once.",
        },
    },
    "dependentRequired": {"max_parallel": ["each"]},
}

PAGES_SCHEMA: dict[str, Any] = {
    "type": "array",
    "description": "The pages of the form, each with the inputs that it asks for. Others come on a last page.",
    "items": {
        "type": "object",
        "required": ["title", "properties"],
        "additionalProperties": False,
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 100},
            "description": {"type": "string", "maxLength": 1000},
            "properties": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        },
    },
}

DEFINITION_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Repomill workflow definition",
    "description": "What a workflow asks for, what it does step by step, and what it yields.",
    "type": "object",
    "required": ["name", "steps"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,99}$", "description": "What the workflow is called."},
        "description": {"type": "string", "maxLength": 5000, "description": "What the workflow is for."},
        "inputs": {
            "type": "object",
            "description": "JSON Schema of what an execution is started with. A form is drawn from it: title,"
            " description, default, enum, format, if/then/else and the like say what it looks like; a text with"
            " x-credential (github, gitlab, git or any) is picked from the user's credentials.",
            "properties": {"x-pages": PAGES_SCHEMA},
        },
        "steps": {"type": "array", "minItems": 1, "maxItems": 1000, "items": STEP_SCHEMA},
        "outputs": {"type": "object", "description": "What an execution yields; expressions over the steps' results."},
    },
}


@dataclass(frozen=True)
class Misfit:
    """One thing that does not fit a schema: where, what is wrong, and what was expected there."""

    path: Path
    message: str
    expected: str

    @property
    def sentence(self) -> str:
        """The message with its full stop."""
        return self.message if self.message.endswith("?") else self.message + "."


def check(value: Any, schema: Mapping[str, Any]) -> Misfit | None:  # noqa: ANN401  (JSON)
    """Return the most telling misfit of `value`, or None when it fits."""
    return _most_telling(list(_errors(value, schema, formats=True)))


def check_with_expressions(value: Any, schema: Mapping[str, Any]) -> Misfit | None:  # noqa: ANN401  (JSON)
    """Like `check`, for a value whose expressions are not filled in yet: a string with one may stand for anything."""
    return check_open(value, schema, is_open=lambda text: "${{" in text)


def check_open(value: Any, schema: Mapping[str, Any], *, is_open: Callable[[str], bool]) -> Misfit | None:  # noqa: ANN401
    """Like `check`, for a value in which some texts may stand for anything. is_open: says of a text whether it does."""
    errors = [error for error in _errors(value, schema) if not _is_open(error, is_open)]
    return _most_telling(errors)


def faults(value: Any, schema: Mapping[str, Any]) -> Iterator[Misfit]:  # noqa: ANN401  (JSON)
    """Yield every misfit of `value`, for who fills a form in; what is missing is a misfit at its own path."""
    missing: set[Path] = set()
    for error in _errors(value, schema, formats=True):
        if error.validator == "required" and isinstance(error.instance, dict):
            for name in list(cast("Any", error.validator_value)):
                path = (*error.absolute_path, name)
                if name not in error.instance and path not in missing:
                    missing.add(path)
                    yield Misfit(path, "It is needed", "")
        else:
            yield _explain(error)


def check_schema(schema: Mapping[str, Any]) -> Misfit | None:
    """Return what makes `schema` itself no JSON Schema, or None."""
    # The formats count: a pattern that is no regular expression would fail only when an input is checked.
    formats = Draft202012Validator.FORMAT_CHECKER
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=formats)
    try:
        return _most_telling(list(meta.iter_errors(schema))) or _beyond_bounds(schemas_in(schema))
    except StrayReference as stray:
        return Misfit((), f"{str(stray)!r} leads to no schema in here", "such as #/$defs/NAME")
    except RecursionError:
        return Misfit((), "The schema is nested too deeply", "a simpler one")
    except OverflowError:
        return Misfit((), "A pattern in the schema repeats too often", "smaller numbers")
    except ValueError:
        return Misfit((), "An $id in the schema is no address", "none, or a URI")


def _beyond_bounds(schemas: list[Mapping[str, Any]]) -> Misfit | None:
    """Return what of these schemas cannot be applied within bounds."""
    for each in schemas:
        for pattern in (each.get("pattern", ""), *each.get("patternProperties", {})):
            if not is_searchable(pattern):
                return Misfit((), f"The pattern {pattern[:100]!r} is too intricate", "a simpler one")
    if {"patternProperties", "unevaluatedProperties"} <= {keyword for each in schemas for keyword in each}:
        return Misfit((), "There is 'unevaluatedProperties' beside 'patternProperties'", "'additionalProperties'")
    return None


def _errors(value: Any, schema: Mapping[str, Any], *, formats: bool = False) -> Iterator[ValidationError]:  # noqa: ANN401
    """Yield what does not fit; that a schema cannot be applied to the value is one of these."""
    try:
        yield from checker(schema, formats=formats).iter_errors(value)
    except Unresolvable as error:
        yield ValidationError("The schema refers to what it does not hold", validator="$ref", validator_value=error.ref)
    except RecursionError:
        yield ValidationError("The value and the schema are nested too deeply", validator="$ref", validator_value="#")
    except TooMuchEffort:
        simpler = "a smaller value, or a simpler schema"
        yield ValidationError("Whether this fits cannot be told in time", validator="effort", validator_value=simpler)


def _most_telling(errors: list[ValidationError]) -> Misfit | None:
    # A misspelt key makes two errors, an unknown one and a missing one; the unknown one says what to mend.
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    error = best_match(iter(unknown or errors))
    return None if error is None else _explain(error)


def _is_open(error: ValidationError, is_open: Callable[[str], bool]) -> bool:
    if any(is_open(text) for text in _texts(error.instance)):
        return True
    return any(_is_open(part, is_open) for part in error.context or ())


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))


def _explain(error: ValidationError) -> Misfit:
    path = tuple(error.absolute_path)
    rule = str(error.validator)
    wanted: Any = error.validator_value
    instance: Any = error.instance
    if rule == "additionalProperties" and isinstance(error.schema, dict):
        allowed = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(instance) - set(allowed))
        close = difflib.get_close_matches(unknown[0][:100], allowed, n=1) if unknown else []
        meant = f"; did you mean {close[0]!r}?" if close else ""
        return Misfit(
            (*path, unknown[0]), f"There is no {_shown(unknown[0])} here{meant}", "one of " + _listed(allowed)
        )
    if rule == "required":
        missing = [name for name in wanted if name not in instance]
        return Misfit(path, f"{missing[0]!r} is missing", _listed(wanted))
    if rule == "enum":
        return Misfit(path, f"{_shown(error.instance)} is not allowed", "one of " + _listed(wanted))
    if rule == "pattern":
        return Misfit(path, f"{_shown(error.instance)} does not have the right form", f"a text that matches {wanted}")
    if rule == "type":
        named = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return Misfit(path, f"This is {_kind(error.instance)}", f"{named}")
    message = _cut(error.message)
    return Misfit(path, message, f"{rule}: {wanted}" if not isinstance(wanted, dict | list) else rule)


def _shown(value: Any) -> str:  # noqa: ANN401
    """Return a value as an error shows it: what was given may be megabytes, and is kept with the error."""
    return _cut(repr(value))


def _listed(values: Iterable[Any]) -> str:
    return _cut(", ".join(map(str, values)), most=2000)


def _cut(text: str, *, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _kind(value: Any) -> str:  # noqa: ANN401
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")
