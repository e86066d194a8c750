"""What a `file_generation` step can be asked for, and the task that it becomes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from backend.apps.projects.step_types import FILE_GENERATION
from backend.errors import InvalidInput

BASE64 = {"content": "AAEC", "encoding": "base64", "executable": True}


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        ({"structure": {"a": "1", "b": BASE64}}, {"structure": {"a": "1", "b": BASE64}}),
        ({"files": [{"path": "a", **BASE64}]}, {"files": [{"path": "a", **BASE64}]}),
        ({"file_path": "a", "content": "1"}, {"files": [{"path": "a", "content": "1"}]}),
        ({"file_path": "a", **BASE64}, {"files": [{"path": "a", **BASE64}]}),
        (
            {"based_on": "latest", "remove": ["old"], "file_path": "a", "content": "1"},
            {"based_on": "latest", "remove": ["old"], "files": [{"path": "a", "content": "1"}]},
        ),
        ({"based_on": "latest", "remove": ["old"]}, {"based_on": "latest", "remove": ["old"]}),
        (
            {"templates": [{"output_path": "a", "template": "x", "executable": True}]},
            {"templates": [{"output_path": "a", "template": "x", "executable": True}]},
        ),
    ],
)
def test_the_task_of_a_step(config: dict[str, Any], arguments: dict[str, Any]):
    jsonschema.validate(config, FILE_GENERATION.config_schema)
    (link,) = FILE_GENERATION.links(config)
    assert (link.method, link.arguments) == ("generation.generate", arguments)


@pytest.mark.parametrize(
    "config", [{}, {"based_on": "latest"}, {"file_path": "a", "content": "1", "structure": {"b": "2"}}]
)
def test_what_makes_no_sense_is_refused(config: dict[str, Any]):
    with pytest.raises(InvalidInput):
        FILE_GENERATION.links(config)


@pytest.mark.parametrize("config", [{"content": "1"}, {"file_path": "a"}, {"executable": True}, {"remove": "a"}])
def test_what_the_schema_refuses(config: dict[str, Any]):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, FILE_GENERATION.config_schema)
