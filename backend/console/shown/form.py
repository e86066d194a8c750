"""A form as its page shows it: each field with what stands in it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.apps.workflows.forms.answers import GIVEN, Answers, texts_of
from backend.apps.workflows.forms.fields import Choice, Field, pages_of

INPUT_TYPES = {
    "integer": "number",
    "number": "number",
    "date": "date",
    "datetime": "datetime-local",
    "time": "time",
    "url": "url",
    "email": "email",
    "secret": "password",
}
AREAS = ("textarea", "lines", "json")


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Bound:
    """A field with what stands in it. texts: one, or what is ticked. fields: those of a group."""

    field: Field
    texts: tuple[str, ...]
    errors: tuple[str, ...]
    fields: tuple[Bound, ...]
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        """The name of its control."""
        return self.field.name

    @property
    def asked(self) -> str:
        """The name by which the form says that it has asked for it."""
        return GIVEN + self.field.name

    @property
    def id(self) -> str:
        """The id of its control, which its label, help and errors name."""
        return self.field.name.replace("/", "-").replace("~", "_").replace(" ", "_")

    @property
    def text(self) -> str:
        """What stands in it."""
        return self.texts[-1] if self.texts else ""

    @property
    def ticked(self) -> bool:
        """Whether a box is ticked."""
        return self.text in {"true", "on"}

    @property
    def look(self) -> str:
        """What draws it: group, area, box, boxes, select or input."""
        kinds = {"group": "group", "checkbox": "box", "choices": "boxes", "choice": "select", "credential": "select"}
        return "area" if self.field.kind in AREAS else kinds.get(self.field.kind, "input")

    @property
    def input_type(self) -> str:
        """The type of its control in HTML."""
        return INPUT_TYPES.get(self.field.kind, "text")

    @property
    def described_by(self) -> str:
        """The ids of what says more about it."""
        parts = [f"{self.id}-help"] if self.field.help or self.field.rule else []
        return " ".join(parts + ([f"{self.id}-error"] if self.errors else []))


@dataclass(frozen=True)
class BoundPage:
    """A page of the form. number: from 1."""

    number: int
    title: str
    description: str
    fields: tuple[Bound, ...]

    @property
    def flat(self) -> Iterator[Bound]:
        """Its fields that have a control of their own."""
        return _flat(self.fields)

    @property
    def wrong(self) -> int:
        """How many of its fields have an error."""
        return sum(bool(field.errors) for field in self.flat)


def bound_pages(
    schema: Mapping[str, Any], answers: Answers, *, credentials: Sequence[tuple[str, str]]
) -> list[BoundPage]:
    """Return the form with what has been filled in. credentials: names and hosts of those that can be picked."""
    pages = pages_of(schema, answers.inputs)
    return [
        BoundPage(
            number, page.title, page.description, tuple(_bound(field, answers, credentials) for field in page.fields)
        )
        for number, page in enumerate(pages, 1)
    ]


def _bound(field: Field, answers: Answers, credentials: Sequence[tuple[str, str]]) -> Bound:
    texts = answers.texts.get(field.name)
    if texts is None:
        # A field that has just appeared begins with its default.
        shown = GIVEN + field.name not in answers.texts
        texts = texts_of(field, field.default) if shown and field.has_default else []
    return Bound(
        field=field,
        texts=tuple(texts),
        errors=tuple(answers.errors.get(field.name, ())),
        fields=tuple(_bound(each, answers, credentials) for each in field.fields),
        options=tuple(_options(field, texts, credentials)),
    )


def _options(field: Field, texts: Sequence[str], credentials: Sequence[tuple[str, str]]) -> Iterator[Option]:
    choices: Sequence[Choice] = field.choices
    if field.kind == "credential":
        found = [(name, host) for name, host in credentials if not field.host or host == field.host]
        choices = [Choice(name, f"{name} ({host})") for name, host in found]
        known = {choice.key for choice in choices}
        choices = [*choices, *(Choice(text, text) for text in texts if text and text not in known)]
    for choice in choices:
        yield Option(choice.key, choice.label, choice.key in texts)


def _flat(fields: Sequence[Bound]) -> Iterator[Bound]:
    for each in fields:
        if each.field.kind == "group":
            yield from _flat(each.fields)
        else:
            yield each
