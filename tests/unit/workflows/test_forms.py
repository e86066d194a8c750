"""Forms from input schemas: which fields there are, what their answers become, and where errors stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.apps.workflows.definitions.schema import check, check_schema
from backend.apps.workflows.forms.answers import answers_of, flat, read_answers
from backend.apps.workflows.forms.fields import fields_of, name_of, pages_of

TEXT = {"type": "string"}


def of(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def one(schema: dict[str, Any]) -> Any:
    (field,) = fields_of(of({"x": schema}), {})
    return field


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (TEXT, "text"),
        ({"type": ["string", "null"]}, "text"),
        ({**TEXT, "maxLength": 5000}, "textarea"),
        ({**TEXT, "default": "a\nb"}, "textarea"),
        ({**TEXT, "format": "date"}, "date"),
        ({**TEXT, "format": "date-time"}, "datetime"),
        ({**TEXT, "format": "uri"}, "url"),
        ({**TEXT, "format": "email"}, "email"),
        ({**TEXT, "writeOnly": True}, "secret"),
        ({**TEXT, "x-credential": "github"}, "credential"),
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "checkbox"),
        ({"enum": ["a", 1, None]}, "choice"),
        ({"const": "a"}, "choice"),
        ({"type": "array", "items": TEXT}, "lines"),
        ({"type": "array", "items": {"type": "integer"}}, "lines"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "choices"),
        ({"type": "array", "items": {"type": "object"}}, "json"),
        ({"type": "array"}, "json"),
        ({"type": "object"}, "json"),
        (of({"a": TEXT}), "group"),
        (of({"a": of({"b": of({"c": of({"d": TEXT})})})}), "group"),
        (of({"a": TEXT}, patternProperties={"^x": TEXT}), "json"),
        ({"type": ["string", "integer"]}, "json"),
        ({"anyOf": [TEXT, {"type": "integer"}]}, "json"),
        (of({"a": TEXT}, oneOf=[of({"a": TEXT}), of({"b": TEXT})]), "json"),
        ({}, "json"),
        ({"$ref": "#/nowhere"}, "json"),
    ],
)
def test_each_kind_of_value_has_its_field_and_the_rest_is_json(schema: dict[str, Any], kind: str) -> None:
    assert one(schema).kind == kind


def test_a_token_by_its_name_is_a_secret_and_shows_no_default() -> None:
    (field,) = fields_of(of({"github_token": TEXT}), {})
    assert (field.kind, field.default) == ("secret", None)


def test_a_field_says_what_is_known_of_it() -> None:
    field = one({"type": "integer", "title": "Port", "description": "Where.", "minimum": 1, "maximum": 9, "default": 5})
    assert (field.label, field.help, field.rule, field.default) == ("Port", "Where.", "from 1 to 9", 5)
    assert field.limits == {"min": "1", "max": "9"}
    assert one({**TEXT, "pattern": "^a+$"}).rule == "of the form ^a+$"


def test_inputs_without_properties_are_one_field_for_json() -> None:
    (field,) = fields_of({"type": "object", "required": ["a"]}, {})
    assert (field.path, field.kind, field.name) == ((), "json", "in")
    assert fields_of({"type": "object"}, {}) == ()
    assert [each.path for each in fields_of(of({"a": TEXT}, additionalProperties=True), {})] == [("a",), ()]


HOSTED = of(
    {"host": {"enum": ["github", "local"]}, "deploy": {"type": "boolean"}},
    required=["host"],
    **{
        "if": {"properties": {"host": {"const": "github"}}, "required": ["host"]},
        "then": {"properties": {"owner": TEXT}, "required": ["owner"]},
        "else": {"properties": {"folder": TEXT}},
    },
    dependentSchemas={"owner": {"properties": {"team": TEXT}}},
    dependentRequired={"team": ["deploy"]},
)
SHAPES = of(
    {"size": {"type": "integer"}},
    oneOf=[
        {
            "title": "A circle",
            "properties": {"shape": {"const": "circle"}, "radius": {"type": "number"}},
            "required": ["shape", "radius"],
        },
        {"properties": {"shape": {"const": "square"}, "side": {"type": "number"}}, "required": ["shape", "side"]},
    ],
)
REFERRED = {
    **of({"home": {"$ref": "#/$defs/place"}}),
    "$defs": {"place": of({"city": {**TEXT, "title": "City"}}, required=["city"])},
}
TREE = {
    **of({"node": {"$ref": "#/$defs/node"}}),
    "$defs": {"node": of({"child": {"$ref": "#/$defs/node"}, "name": TEXT})},
}


@pytest.mark.parametrize(
    ("schema", "values", "names"),
    [
        (HOSTED, {}, ["host", "deploy", "folder"]),
        (HOSTED, {"host": "local"}, ["host", "deploy", "folder"]),
        (HOSTED, {"host": "github"}, ["host", "deploy", "owner"]),
        (HOSTED, {"host": "github", "owner": "x"}, ["host", "deploy", "owner", "team"]),
        (SHAPES, {}, ["size", "shape"]),
        (SHAPES, {"shape": "circle"}, ["size", "shape", "radius"]),
        (SHAPES, {"shape": "square"}, ["size", "shape", "side"]),
        (REFERRED, {}, ["home/city"]),
        (of({"a": TEXT}, allOf=[of({"b": TEXT}), {"required": ["a"]}]), {}, ["a", "b"]),
    ],
)
def test_which_fields_there_are_depends_on_the_values(
    schema: dict[str, Any], values: dict[str, Any], names: list[str]
) -> None:
    assert [field.name for field in flat(fields_of(schema, values))] == [f"in/{name}" for name in names]


def test_what_other_fields_depend_on_is_told() -> None:
    assert {field.path[0] for field in fields_of(HOSTED, {}) if field.decides} == {"host"}
    shape = next(field for field in fields_of(SHAPES, {}) if field.path == ("shape",))
    assert shape.decides
    assert [choice.label for choice in shape.choices] == ["A circle", "square"]


def test_a_schema_that_names_itself_ends() -> None:
    assert any(field.kind == "json" for field in flat(fields_of(TREE, {})))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": TEXT}, "allOf": [{"$ref": "#"}] * 8},
        {"type": "object", "properties": {"a": TEXT}, "oneOf": [{"allOf": [{"$ref": "#"}] * 8}] * 8},
        {**of({f"p{n}": {"$ref": "#"} for n in range(60)})},
        {**of({"a": TEXT}), "if": {}, "then": {"$ref": "#"}, "else": {"$ref": "#"}},
        {"$ref": "#"},
    ],
)
def test_a_schema_that_names_itself_many_times_ends_soon(schema: dict[str, Any]) -> None:
    assert len(list(flat(fields_of(schema, {})))) < 1000


ROUND_TRIPS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (of({"a": TEXT, "b": TEXT}, required=["a"]), {"a": "x"}),
    (of({"a": {"type": "integer"}, "b": {"type": "number"}}), {"a": 3, "b": 1.5}),
    (of({"a": {"type": "boolean", "default": True}}), {"a": False}),
    (of({"a": {"enum": ["x", 1, None, True]}}), {"a": None}),
    (of({"a": {"type": "array", "items": TEXT}}), {"a": ["x y", "z"]}),
    (of({"a": {"type": "array", "items": {"type": "integer"}}}), {"a": [1, 2]}),
    (of({"a": {"type": "array", "items": {"enum": ["x", "y", "z"]}}}), {"a": ["x", "z"]}),
    (of({"a": {"type": "array", "items": {"type": "object"}}}), {"a": [{"b": [1, None]}]}),
    (of({"a": {"type": ["string", "integer"]}}), {"a": 5}),
    (of({"a": of({"b": {"type": "integer"}, "c": of({"d": TEXT})})}), {"a": {"b": 1, "c": {"d": "x"}}}),
    (of({"a": {**TEXT, "format": "date-time"}}), {"a": "2026-01-02T03:04:00Z"}),
    (of({"a/b": TEXT, "c~d": TEXT, "e.f": TEXT}), {"a/b": "1", "c~d": "2", "e.f": "3"}),
    (of({"a": TEXT}, additionalProperties=True), {"a": "x", "more": {"n": 1}}),
    (HOSTED, {"host": "github", "owner": "acme", "team": "web", "deploy": True}),
    (SHAPES, {"size": 1, "shape": "circle", "radius": 2}),
    (REFERRED, {"home": {"city": "Oslo"}}),
    (of({"a": {**TEXT, "maxLength": 999}}), {"a": "one\ntwo\n"}),
]


@pytest.mark.parametrize(("schema", "inputs"), ROUND_TRIPS)
def test_inputs_come_back_as_they_were(schema: dict[str, Any], inputs: dict[str, Any]) -> None:
    assert check(inputs, schema) is None
    shown = answers_of(schema, inputs)
    read = read_answers(schema, shown.texts)
    assert (read.inputs, read.errors) == (inputs, {})


@pytest.mark.parametrize(
    ("schema", "posted", "inputs", "errors"),
    [
        (of({"a": TEXT}, required=["a"]), {}, {}, {"in/a": "It is needed."}),
        (of({"a": TEXT}), {"in/a": [""]}, {}, {}),
        (of({"a": TEXT}, required=["a"]), {"in/a": [""]}, {"a": ""}, {}),
        (
            of({"a": {**TEXT, "minLength": 1}}, required=["a"]),
            {"in/a": [""]},
            {"a": ""},
            {"in/a": "It is needed."},
        ),
        (
            of({"a": {"type": "integer"}}),
            {"in/a": ["many"]},
            {"a": "many"},
            {"in/a": "This is a text. Expected: integer."},
        ),
        (
            of({"a": {"type": "integer", "maximum": 3}}),
            {"in/a": ["4"]},
            {"a": 4},
            {"in/a": "4 is greater than the maximum of 3"},
        ),
        (of({"a": {**TEXT, "pattern": "^x$"}}), {"in/a": ["y"]}, {"a": "y"}, {"in/a": "does not have the right form"}),
        (of({"a": {**TEXT, "format": "date"}}), {"in/a": ["soon"]}, {"a": "soon"}, {"in/a": "not a 'date'"}),
        (of({"a": {**TEXT, "format": "email"}}), {"in/a": ["me"]}, {"a": "me"}, {"in/a": "not a 'email'"}),
        (of({"a": {"enum": ["x"]}}), {"in/a": ['"z"']}, {"a": "z"}, {"in/a": "'z' is not allowed"}),
        (of({"a": {"type": "object"}}), {"in/a": ["{"]}, {}, {"in/a": "not JSON, line 1"}),
        (of({"a": {"type": "object"}}), {"in/a": ["[]"]}, {"a": []}, {"in/a": "This is a list"}),
        (
            of({"a": {"type": "array", "items": {"type": "integer"}}}),
            {"in/a": ["1\nx"]},
            {"a": [1, "x"]},
            {"in/a": "a text"},
        ),
        (of({"a": of({"b": TEXT}, required=["b"])}, required=["a"]), {}, {"a": {}}, {"in/a/b": "It is needed."}),
        (HOSTED, {"in/host": ['"github"']}, {"host": "github"}, {"in/owner": "It is needed."}),
        (SHAPES, {}, {}, {"in/shape": "It is needed."}),
        (SHAPES, {"in/shape": ['"circle"']}, {"shape": "circle"}, {"in/radius": "It is needed."}),
        (of({"a": TEXT}, additionalProperties=False, minProperties=1), {}, {}, {"": "non-empty"}),
        ({"type": "object", "required": ["a"]}, {"in": ["3"]}, {}, {"in": "has to be an object"}),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(
    schema: dict[str, Any], posted: dict[str, list[str]], inputs: dict[str, Any], errors: dict[str, str]
) -> None:
    read = read_answers(schema, posted)
    assert read.inputs == inputs
    assert read.errors.keys() == errors.keys(), read.errors
    for name, words in errors.items():
        assert words in " ".join(read.errors[name])


def test_a_box_that_is_not_ticked_is_an_answer_where_one_is_asked_for() -> None:
    schema = of(
        {"a": {"type": "boolean"}, "b": {"type": "boolean"}, "c": {"type": "boolean", "default": True}}, required=["a"]
    )
    asked = {f"given/in/{name}": ["1"] for name in "abc"}
    assert read_answers(schema, asked).inputs == {"a": False, "c": False}
    assert read_answers(schema, {**asked, "in/b": ["true"]}).inputs == {"a": False, "b": True, "c": False}
    assert read_answers(schema, {}).inputs == {}


def test_a_secret_is_taken_and_never_given_back() -> None:
    secret = "correct horse battery staple"
    schema = of({"token": {**TEXT, "maxLength": 5}, "a": TEXT}, required=["a"], dependentRequired={"token": ["b"]})
    read = read_answers(schema, {"in/token": [secret]})
    assert read.inputs == {"token": secret}
    assert secret not in json.dumps([read.texts, read.errors])
    assert read.errors["in/token"] == ["The value does not fit."]
    assert secret not in json.dumps(answers_of(schema, {"token": secret, "a": "x"}).texts)


def test_pages_are_as_the_schema_groups_them_and_nothing_is_lost() -> None:
    schema = of(
        {"a": TEXT, "b": TEXT, "c": TEXT},
        **{
            "x-pages": [
                {"title": "First", "description": "Begin.", "properties": ["b"]},
                {"title": "None", "properties": ["z"]},
            ]
        },
    )
    pages = pages_of(schema, {})
    assert [(page.title, [field.path[0] for field in page.fields]) for page in pages] == [
        ("First", ["b"]),
        ("More", ["a", "c"]),
    ]
    assert [page.title for page in pages_of(of({"a": TEXT}), {})] == [""]
    assert [page.title for page in pages_of({**of({"a": TEXT}), "x-pages": "nonsense"}, {})] == [""]


def test_names_are_read_as_they_are_written() -> None:
    assert name_of(("a/b", "~c")) == "in/a~1b/~0c"


@pytest.mark.parametrize("within", ["$defs", "definitions"])
def test_a_condition_may_refer_to_what_stands_at_the_root(within: str) -> None:
    hosted = {
        **HOSTED,
        within: {"ours": {"const": "github"}},
        "if": {"properties": {"host": {"$ref": f"#/{within}/ours"}}, "required": ["host"]},
    }
    assert check_schema(hosted) is None
    for host, asked in (("github", "owner"), ("local", "folder")):
        names = [each.path[0] for each in fields_of(hosted, {"host": host}) if each.path]
        assert (asked in names, len({"owner", "folder"} & set(names))) == (True, 1)
