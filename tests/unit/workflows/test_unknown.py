"""What is filled in before anything has run, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from backend.apps.workflows.definitions.unknown import Missing, PartialRendering, Unknown, is_known
from backend.apps.workflows.errors import InvalidExpression

DATA = {
    "inputs": {"name": "mill", "count": 2, "list": ["a", "b"]},
    "steps": {
        "story": {"status": "completed", "result": Unknown.of("steps.story.result")},
        "files": {
            "status": "completed",
            "result": {"total_files": 3, "commit": Unknown.of("steps.files.result.commit")},
        },
    },
}


@pytest.mark.parametrize(
    ("value", "wanted", "missing"),
    [
        ("plain", "plain", []),
        ("${{ inputs.count }}", 2, []),
        ("n=${{ inputs.count }}", "n=2", []),
        ("$${{ literal }}", "${{ literal }}", []),
        ("${{ steps.story.result.id }}", "«steps.story.result.id»", ["steps.story.result.id"]),
        (
            "${{ inputs.name }}-${{ steps.story.result.id }}.md",
            "mill-«steps.story.result.id».md",
            ["steps.story.result.id"],
        ),
        ("${{ steps.files.result.total_files }}", 3, []),
        ("${{ steps.files.result.total_files > 2 }}", True, []),
        ("${{ steps.files.result.commit }}", "«steps.files.result.commit»", ["steps.files.result.commit"]),
        ("${{ steps.story.result.ok == true }}", "«steps.story.result.ok == true»", ["steps.story.result.ok == true"]),
        ("in ${{ steps.files.result }}", "in «steps.files.result»", ["steps.files.result"]),
        ({"${{ inputs.name }}": ["${{ inputs.list }}"]}, {"mill": [["a", "b"]]}, []),
        ({"k": "${{ steps.story.result }}"}, {"k": "«steps.story.result»"}, ["steps.story.result"]),
    ],
)
def test_what_is_known_is_filled_in_and_the_rest_is_named(value: Any, wanted: Any, missing: list[str]) -> None:
    rendering = PartialRendering(DATA)
    found = rendering.render(value, ("config",))
    assert found == wanted
    assert [each.expression for each in rendering.missing] == missing
    assert is_known(found) is not bool(missing)


def test_a_value_that_is_known_in_part_keeps_its_type_and_its_gaps() -> None:
    rendering = PartialRendering(DATA)
    found = rendering.render("${{ steps.files.result }}")
    assert found == {"total_files": 3, "commit": "«steps.files.result.commit»"}
    assert not is_known(found)


def test_the_place_of_what_is_missing_is_told() -> None:
    rendering = PartialRendering(DATA)
    rendering.render({"files": [{"content": "${{ steps.story.result.a }}"}]}, ("steps", "x", "config"))
    assert rendering.missing == [Missing("steps.x.config.files[0].content", "steps.story.result.a")]


@pytest.mark.parametrize("text", ["${{ steps.gone.result }}", "${{ inputs.name.first }}", "a ${{ inputs.nothing }}"])
def test_what_leads_nowhere_is_refused_as_in_a_run(text: str) -> None:
    with pytest.raises(InvalidExpression) as refused:
        PartialRendering(DATA).render(text, ("config",))
    assert refused.value.place["path"] == "config"


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidExpression):
        PartialRendering(DATA).render({"${{ inputs.count }}": 1})
