"""What the pages tell to type can be typed: commands and their options, the console's addresses, Compose's settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.urls import resolve
from typer._click.exceptions import UsageError

from backend.cli.app import COMMANDS, load_command
from backend.config.environment import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "guides").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(repomill(?: [^`]+)?)`")


def typed(text: str) -> Iterator[str]:
    """Yield the commands of a page's blocks, each as one line."""
    for language, block in FENCED.findall(text):
        if language in {"", "bash", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^|\| |\$ |exec web )(repomill .*)$", line)
                if found:
                    yield found[1]


def refused(words: list[str]) -> str | None:
    """Return why a command line is wrong, None where it is not. Nothing is run."""
    name, *rest = words
    if name == "run" and "--input" in rest and "--project" not in rest:
        return "the pages' workflows work on a project"
    if name not in {known for known, _, _ in COMMANDS}:
        return f"no command {name}"
    command = load_command(name)
    try:
        context = command.make_context(name, rest)
        if hasattr(command, "resolve_command"):
            _, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            below.make_context(below.name, rest)
    except UsageError as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_a_block_is_one(page: Path) -> None:
    for line in typed(page.read_text()):
        words = shlex.split(re.split(r" [>|;] ", line)[0], comments=True)[1:]
        assert refused(words) is None, (line, refused(words))


def test_commands_are_found_and_a_wrong_one_is_seen() -> None:
    assert sum(len(list(typed(page.read_text()))) for page in PAGES) > 60
    assert refused(["bulk", "pause"])
    assert refused(["bulk", "halt", "last"])
    assert refused(["run", "a.yaml", "--no-such-option"])
    assert refused(["runs"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_in_a_sentence_is_one(page: Path) -> None:
    for line in INLINE.findall(page.read_text()):
        words = line.replace("\n", " ").split()[1:]
        if words:
            why = refused(words)
            # A sentence may leave out what the command works on.
            assert why is None or why.startswith("Missing"), (line, why)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_consoles_addresses_are_there(page: Path) -> None:
    for address in re.findall(r"(?:`|8000|HOST)(/console/[\w/-]*)", page.read_text()):
        # Only where single sign-on is set up.
        if not address.startswith("/console/sso/"):
            resolve(re.sub(r"\bID\b", str(UUID(int=0)), address))


def test_what_the_guide_of_containers_lists_is_what_the_compose_file_reads() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    read = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))
    guide = (ROOT / "docs" / "guides" / "containers.md").read_text()
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| ([^|]*) \|", guide, re.MULTILINE)
    told = {name: default.strip("` ") for names, default in rows for name in re.findall(r"[A-Z_]+", names)}
    assert set(told) == set(read)
    for name, default in told.items():
        assert name in {"REDIS_IMAGE", "POSTGRES_IMAGE", "NGINX_IMAGE"} or default == (read[name] or "none"), name
