"""Templates from the corpus: none reads a secret, none takes more than its share, none ends the worker."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from django.conf import settings
from django.template import TemplateSyntaxError

from backend.apps.projects.errors import InvalidTemplate
from backend.apps.projects.services.template_child import BareEngine, BareTemplate, Refused, TemplateLimits
from backend.apps.projects.services.templates import TemplateSource, render_templates
from tests.corpus import rows

CONTEXT = {
    "name": "bob",
    "items": [{"k": 2}, {"k": 1}],
    "data": {"a": "</script>"},
    "spaces": " " * 100_000 + "x",
    "ends": "</a" * 50_000,
    "numbers": list(range(10)),
}
CANARY = "canary-3f1c9a"


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("REPOMILL_CANARY", CANARY)
    monkeypatch.setattr(settings, "SECRET_KEY", CANARY)


def source(row: dict[str, Any]) -> str:
    if "template" in row:
        return str(row["template"])
    recipe = row["gen"]
    if "unit" in recipe:
        body = recipe["prefix"] + recipe["unit"] * recipe["count"]
        closing = {"{{ name": " }}", "{% if ": "1 %}x{% endif %}", "": "x" + "{% endif %}" * recipe["count"]}
        return str(body + closing[recipe["prefix"]])
    repeat: str = recipe["repeat"]
    return repeat * int(recipe.get("count") or recipe["bytes"] // len(repeat))


def test_abuse():
    for row in rows("own/template_abuse"):
        before = copy.deepcopy(CONTEXT)
        start = time.monotonic()
        text, error = outcome(row)
        # One processor second and a start; the rest is room for a busy machine.
        assert time.monotonic() - start < 15, row
        assert before == CONTEXT
        assert CANARY not in (text or "")
        assert not error or (error.place["template"] == row["name"] and CANARY not in error.message)
        expected = row["expected"]
        if expected.startswith("reject"):
            assert error, row
        elif expected == "empty":
            assert text == "[]", row
        else:
            assert error is None or expected.startswith("bounded"), row
    assert render_templates([TemplateSource("next", "{{ name }}", CONTEXT)]) == ["bob"]


def outcome(row: dict[str, Any]) -> tuple[str | None, InvalidTemplate | None]:
    try:
        (text,) = render_templates([TemplateSource(row["name"], source(row), CONTEXT)])
    except InvalidTemplate as error:
        return None, error
    return text, None


def test_injections():
    engine = BareEngine(TemplateLimits())
    compiled = []
    for row in rows("third_party/ssti"):
        try:
            BareTemplate(row["value"], engine=engine)
        except (Refused, TemplateSyntaxError):
            continue
        compiled.append(TemplateSource(row["id"], row["value"], CONTEXT))
    assert compiled
    for template, text in zip(compiled, rendered(compiled), strict=True):
        assert CANARY not in text, template
        assert "root:x:0" not in text or "root:x:0" in template.source, template
        assert "uid=" not in text or "uid=" in template.source, template
        if "{{" not in template.source and "{%" not in template.source and "{#" not in template.source:
            assert text == template.source


def rendered(templates: list[TemplateSource]) -> list[str]:
    """Render all, "" for those that fail."""
    names = [template.name for template in templates]
    try:
        return render_templates(templates)
    except InvalidTemplate as error:
        failed = names.index(error.place["template"])
        return [*render_templates(templates[:failed]), "", *rendered(templates[failed + 1 :])]
