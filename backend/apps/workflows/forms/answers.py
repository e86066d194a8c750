"""What was filled in: texts from a form into inputs, inputs back into texts, and each error at its field. Pure.

The errors are those of the validator that the API uses. A secret is never given back to be shown, and no error repeats
one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.apps.workflows.definitions.schema import Misfit, faults
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.forms.applying import Schema, applied
from backend.apps.workflows.forms.fields import Field, fields_of, name_of
from backend.strict_json import NotJSON, read_json

ROUNDS = 6
"""How often it is asked again which fields there are: an answer can bring a field whose answer brings another."""
GIVEN = "given/"
"""Before a field's name: that the form has asked for it, since a box that is not ticked sends nothing."""
LONGEST = 1_000_000

_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
Posted = Mapping[str, Sequence[str]]
_ABSENT = object()


@dataclass
class Answers:
    """What was filled in. inputs: as an execution takes them. texts: by field name, as they are shown again.

    errors: by field name; those under the empty name belong to no field.
    """

    inputs: dict[str, Any]
    texts: dict[str, list[str]]
    errors: dict[str, list[str]] = field(default_factory=dict)


def read_answers(schema: Schema, posted: Posted) -> Answers:
    """Return what a form has sent. What does not fit is in `errors`, and stands in `inputs` as it was written."""
    answers = Answers({}, {name: list(texts) for name, texts in posted.items()})
    names: set[str] | None = None
    for _ in range(ROUNDS):
        fields = fields_of(schema, answers.inputs)
        found = {each.name for each in flat(fields)}
        if found == names:
            break
        names = found
        answers.errors = {}
        answers.inputs = _inputs(fields, posted, answers.errors)
    _judge(schema, answers)
    _forget_secrets(fields, answers)
    return answers


def answers_of(schema: Schema, inputs: Mapping[str, Any]) -> Answers:
    """Return inputs that are known as they are shown in the form: of an earlier run, or saved ones."""
    plain = {name: value for name, value in inputs.items() if not is_secret_input(schema, name)}
    answers = Answers(plain, {})
    for each in flat(fields_of(schema, plain)):
        value = _at(plain, each.path)
        if each.path == ():
            # What no other field shows.
            known = {one.path[0] for one in fields_of(schema, plain) if one.path}
            value = {name: part for name, part in plain.items() if name not in known} or _ABSENT
        if value is not _ABSENT:
            answers.texts[each.name] = texts_of(each, value)
            answers.texts[GIVEN + each.name] = ["1"]
    return answers


def texts_of(asked: Field, value: Any) -> list[str]:  # noqa: ANN401  (JSON)
    """Return how a value stands in a field's control."""
    if asked.kind == "secret":
        return []
    if asked.kind in {"checkbox", "choice"}:
        return [json.dumps(value)]
    if asked.kind == "datetime" and isinstance(value, str):
        return [value.removesuffix(":00Z")]
    if asked.kind == "choices":
        return [json.dumps(each) for each in value] if isinstance(value, list) else []
    if asked.kind == "lines":
        return ["\n".join(map(str, value))] if isinstance(value, list) else []
    if asked.kind == "json" or not isinstance(value, str):
        return [json.dumps(value, ensure_ascii=False, indent=2)]
    return [value]


def flat(fields: Sequence[Field]) -> Iterator[Field]:
    """Yield the fields that have a control of their own."""
    for each in fields:
        if each.kind == "group":
            yield from flat(each.fields)
        else:
            yield each


def _inputs(fields: Sequence[Field], posted: Posted, errors: dict[str, list[str]]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for each in fields:
        if each.kind == "group":
            inner = _inputs(each.fields, posted, errors)
            if inner or each.required:
                inputs[each.path[-1]] = inner
            continue
        value = _value(each, posted, errors)
        if value is _ABSENT:
            continue
        if each.path == ():
            inputs.update(value if isinstance(value, dict) else {})
        else:
            inputs[each.path[-1]] = value
    return inputs


def _value(each: Field, posted: Posted, errors: dict[str, list[str]]) -> Any:  # noqa: ANN401  (JSON)
    texts = list(posted.get(each.name, ()))
    text = texts[-1] if texts else ""
    if each.kind == "checkbox":
        return _ticked(each, text, asked=GIVEN + each.name in posted)
    if each.kind == "choices":
        found = [value for value in map(_as_json, texts) if value is not _ABSENT]
        return found if found or each.required else _ABSENT
    if each.kind == "choice":
        return _as_json(text) if text else _ABSENT
    text = text.replace("\r\n", "\n")
    if each.kind == "lines":
        lines = [line for line in text.split("\n") if line.strip()]
        return [_as_number(line) if each.numbers else line for line in lines] if lines or each.required else _ABSENT
    if each.kind == "json":
        return _written_json(each, text, errors)
    if each.kind == "datetime":
        # What browsers send has neither seconds nor a zone; the form says that it is in UTC.
        return f"{text}:00Z" if _MINUTE.fullmatch(text) else text or _ABSENT
    if each.kind in {"integer", "number"}:
        return _as_number(text) if text.strip() else _ABSENT
    if not text:
        # An empty text is an answer only where one is asked for.
        return "" if each.required and each.kind in {"text", "textarea"} and each.name in posted else _ABSENT
    return text


def _ticked(each: Field, text: str, *, asked: bool) -> Any:  # noqa: ANN401
    if text:
        return text in {"true", "on"}
    return False if asked and (each.required or each.has_default) else _ABSENT


def _written_json(each: Field, text: str, errors: dict[str, list[str]]) -> Any:  # noqa: ANN401
    if not text.strip():
        return _ABSENT
    try:
        value = read_json(text)
    except NotJSON as error:
        errors.setdefault(each.name, []).append(f"This is not JSON, line {error.line}: {error.reason}.")
        return _ABSENT
    if each.path == () and not isinstance(value, dict):
        errors.setdefault(each.name, []).append("This has to be an object, such as {}.")
        return _ABSENT
    return value


def _as_json(text: str) -> Any:  # noqa: ANN401
    try:
        return read_json(text)
    except NotJSON:
        return text or _ABSENT


def _as_number(text: str) -> Any:  # noqa: ANN401
    value = _as_json(text.strip())
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _judge(schema: Schema, answers: Answers) -> None:
    """Put every misfit at its field: by what applies to these inputs, and then by the whole schema."""
    # As the API does, before it judges.
    inputs = {**_defaults(schema), **answers.inputs}
    now = {**applied(schema, inputs), "$defs": schema.get("$defs", {})}
    fields = {each.name for each in flat(fields_of(schema, answers.inputs))}
    known = dict(answers.errors)
    found = list(faults(inputs, now)) or list(faults(inputs, schema))
    for misfit in found:
        name = _place(misfit, fields)
        if name not in known:
            told = answers.errors.setdefault(name, [])
            empty = _at(inputs, [str(part) for part in misfit.path]) == "" and misfit.path
            sentence = "It is needed." if empty else _sentence(misfit, schema)
            if sentence not in told:
                told.append(sentence)


def _defaults(schema: Schema) -> dict[str, Any]:
    described = schema.get("properties", {})
    return {
        name: part["default"] for name, part in described.items() if isinstance(part, Mapping) and "default" in part
    }


def _place(misfit: Misfit, fields: set[str]) -> str:
    path = tuple(str(part) for part in misfit.path)
    while path and name_of(path) not in fields:
        path = path[:-1]
    name = name_of(path)
    return name if name in fields else ""


def _sentence(misfit: Misfit, schema: Schema) -> str:
    if misfit.path and is_secret_input(schema, str(misfit.path[0])):
        return "It is needed." if misfit.message == "It is needed" else "The value does not fit."
    if not misfit.path and any(is_secret_input(schema, name) for name in schema.get("properties", {})):
        return "The inputs do not fit together."
    expected = f" Expected: {misfit.expected}." if misfit.expected and misfit.message != "It is needed" else ""
    return f"{misfit.sentence}{expected}"


def _forget_secrets(fields: Sequence[Field], answers: Answers) -> None:
    for each in flat(fields):
        if each.kind == "secret":
            answers.texts.pop(each.name, None)


def _at(inputs: Mapping[str, Any], path: Sequence[str]) -> Any:  # noqa: ANN401
    value: Any = inputs
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value
