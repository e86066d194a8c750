"""Shows a form that is drawn from a schema, reads its answers, and puts errors of ours at the fields that they name.

It works without scripts: a field that others depend on has a button that asks again. With them htmx asks, and gets the
fields alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from backend.apps.workflows.forms.answers import Answers, answers_of, flat, read_answers
from backend.apps.workflows.forms.fields import fields_of, name_of
from backend.console.pages import is_partial, said
from backend.console.shown.form import bound_pages
from backend.errors import RepomillError


@dataclass
class Asking:
    """One showing of a form.

    template: of its page. context: what that needs besides. places: for fields that errors name and the form calls
    otherwise. credentials: names and hosts of those that can be picked.
    """

    request: HttpRequest
    schema: Mapping[str, Any]
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    credentials: Sequence[tuple[str, str]] = ()

    @property
    def wanted(self) -> str:
        """What the button that was pressed says: what is to be done with the answers; empty for none."""
        return self.request.POST.get("do", "") if self.request.method == "POST" else ""

    def answers(self) -> Answers:
        """Return what was sent, and the defaults for what was left empty, with which it was judged."""
        answers = read_answers(self.schema, dict(self.request.POST.lists()))
        answers.inputs = {**self._defaults(), **answers.inputs}
        return answers

    def first(self, known: Mapping[str, Any] | None = None) -> HttpResponse:
        """Show the form as it begins: with what is known, or the defaults."""
        return self.show(answers_of(self.schema, known if known is not None else self._defaults()))

    def again(self, answers: Answers) -> HttpResponse:
        """Show the fields that there are with these answers; nothing is wrong yet."""
        return self.show(Answers(answers.inputs, answers.texts))

    def refused(self, answers: Answers, error: RepomillError) -> HttpResponse:
        """Show an error at the field that it names, where there is such a field."""
        name = self._place(str(error.place.get("field", "")), answers)
        answers.errors.setdefault(name, []).append(said(error))
        return self.show(answers, status=422)

    def show(self, answers: Answers, *, status: int = 200, **more: Any) -> HttpResponse:  # noqa: ANN401
        """Return the page; or, where htmx asks, the fields alone."""
        pages = bound_pages(self.schema, answers, credentials=self.credentials)
        context = {
            "pages": pages,
            "wrong": [each for page in pages for each in page.flat if each.errors],
            "form_errors": answers.errors.get("", []),
            **self.context,
            **more,
        }
        template = "console/workflows/fields.html" if is_partial(self.request) else self.template
        return render(self.request, template, context, status=status)

    def _defaults(self) -> dict[str, Any]:
        properties: Mapping[str, Any] = self.schema["properties"]
        return {name: part["default"] for name, part in properties.items() if "default" in part}

    def _place(self, place: str, answers: Answers) -> str:
        names = {each.name for each in flat(fields_of(self.schema, answers.inputs))}
        parts = tuple(self.places.get(place, place).split("."))
        while parts:
            if name_of(parts) in names:
                return name_of(parts)
            parts = parts[:-1]
        return ""
