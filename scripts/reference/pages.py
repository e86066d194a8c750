"""Which pages there are."""

from __future__ import annotations

from scripts.reference import cli, errors, metrics, rest, settings, tasks


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file. Django must be set up."""
    return {
        "settings.md": settings.render(),
        "cli.md": cli.render(),
        "rest.md": rest.render(),
        "tasks.md": tasks.render(),
        "errors.md": errors.render(),
        "metrics.md": metrics.render(),
    }
