"""`repomill schema`: the JSON Schema of workflow definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.django_setup import setup_django
from backend.errors import InvalidInput


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON Schema of workflow definitions, with the installed step types, for editors.

    Editors with YAML support take it from a definition's first line: # yaml-language-server: $schema=FILE
    """
    setup_django()
    from backend.apps.workflows.definitions.published import published_schema

    text = json.dumps(published_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInput(f"The file {output} cannot be written: {error.strerror}.", field="--output") from error
    typer.echo(f"Written to {output}.")
