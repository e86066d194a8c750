"""Puts errors of the services and of the API's serializers at the field of a form that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from backend.console.pages import said
from backend.errors import NotFound, PermissionRefused, RepomillError


def put_error(form: forms.Form, error: RepomillError, names: Mapping[str, str] | None = None) -> None:
    """Say an error at its field, or above the form where it has none. names: what the form calls fields otherwise.

    A form that the user may not send is no form for them: NotFound and PermissionRefused of the whole are raised on.
    """
    place = str(error.place.get("field", "path" if error.place.get("path") else ""))
    field = field_of(form, place, names)
    if field is None and isinstance(error, NotFound | PermissionRefused):
        raise error
    expected = error.place.get("expected")
    words = said(error)
    if isinstance(expected, str):
        words = f"{words} Expected: {expected}."
    form.add_error(field, words)


def put_wrong(form: forms.Form, wrong: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Say what a serializer of the API has found wrong, each at its field."""
    for place, words in _flat(wrong):
        form.add_error(field_of(form, place, names), words)


def field_of(form: forms.Form, place: str, names: Mapping[str, str] | None = None) -> str | None:
    """Return the form's field that a place such as `config.branch` means; None for none of them."""
    name = place.rpartition(".")[2]
    name = (names or {}).get(name, name)
    return name if name in form.fields else None


def _flat(wrong: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, said_of_it in wrong.items():
        for words in said_of_it if isinstance(said_of_it, list) else [said_of_it]:
            yield str(name), str(words if not isinstance(words, Mapping) else next(iter(words.values())))
