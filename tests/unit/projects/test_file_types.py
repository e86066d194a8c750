"""The type of a file by its name."""

from __future__ import annotations

import pytest

from backend.apps.projects.services.file_types import file_type


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/main.py", "python"),
        ("app.JS", "javascript"),
        ("component.tsx", "typescript"),
        ("README.md", "markdown"),
        ("ci.yml", "yaml"),
        ("package.json", "json"),
        ("pyproject.toml", "toml"),
        ("index.html", "html"),
        ("site.css", "css"),
        ("run.sh", "shell"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.dev", "dockerfile"),
        ("dev.dockerfile", "dockerfile"),
        ("Makefile", "makefile"),
        (".gitignore", "ignore"),
        (".env", "dotenv"),
        (".env.example", "dotenv"),
        ("go.mod", "go"),
        ("LICENSE", "text"),
        ("data.tar.gz", "archive"),
        ("py", "unknown"),
        (".py", "unknown"),
        ("noextension", "unknown"),
        ("python.d/thing", "unknown"),
        ("weird.xyzzy", "unknown"),
    ],
)
def test_by_name(path, expected):
    assert file_type(path) == expected
