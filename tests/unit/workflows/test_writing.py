"""A definition is written so that it is read back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.apps.workflows.definitions.source import read_source, read_source_file
from backend.apps.workflows.definitions.writing import as_yaml
from tests.corpus import rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "yes",
            "on",
            "null",
            "~",
            "true",
            "1",
            "1e5",
            "0x10",
            "1_000",
            "2026-01-02",
            "=",
            "<<",
            "",
            " ",
            "a: b",
            "- x",
        ),
        *(
            "# no comment",
            "a #b",
            "'",
            '"',
            "&a",
            "*a",
            "!t",
            "|",
            ">",
            "%",
            "@",
            "`",
            "{a}",
            "[a]",
            "a\n",
            "a\n\nb",
            "\n",
        ),
        *(
            "a\n b\n",
            " a\nb",
            "a \nb",
            "tab\there",
            "\u2028",
            "\u0085x",
            "\ufeff",
            "é",
            "日本",
            "🎉",
            "x" * 300,
            "a b " * 60,
        ),
        *(
            None,
            True,
            False,
            0,
            -5,
            2**62,
            1.5,
            1e300,
            -0.25,
            1e-7,
            [],
            {},
            [[]],
            {"a": {}},
            {"": ""},
            {"<<": 1, "1": 2},
        ),
        {"null": None, "true": [True, {"x": "${{ inputs.a }}"}]},
    ],
)
def test_every_value_comes_back(value: Any) -> None:
    data = {"k": value, "list": [value]}
    assert read_source(as_yaml(data)).data == data


def test_naughty_texts_come_back_or_are_refused_as_they_are() -> None:
    texts = [row["value"] for row in rows("third_party/naughty_strings") if isinstance(row["value"], str)]
    assert len(texts) > 100
    for text in texts:
        if text.isprintable():
            assert read_source(as_yaml({"k": text, text: 1})).data == {"k": text, text: 1}


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/**/*.yaml")), ids=lambda path: path.parent.name)
def test_the_examples_come_back(path: Path) -> None:
    data = read_source_file(path).data
    assert read_source(as_yaml(data)).data == data
