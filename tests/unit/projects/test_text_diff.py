"""Diffs of texts: git applies them, and they are made in bounded time."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from backend.apps.projects.services.text_diff import MOST_LINES, lines_of, unified

LONG = [f"{number % 102}\n" for number in range(400_000)]


def diff(before: str, after: str) -> str | None:
    lines = unified(before, after, old="a/f", new="b/f")
    return None if lines is None else "".join(lines)


@pytest.mark.parametrize("seed", range(60))
def test_git_applies_it(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    # Few different lines, so that what is alike at the ends and what is alike within are easily taken for each other.
    old = [f"{chance.choice('abc')}\n" for _ in range(chance.randrange(1, 40))]
    new = list(old)
    for _ in range(chance.randrange(1, 4)):
        new.insert(chance.randrange(len(new) + 1), chance.choice(["a\n", "x\n", "y\r\n", "\u2028\x85\x0b\x0c\r|\n"]))
        new.pop(chance.randrange(len(new)))
    before, after = "".join(old), "".join(new).removesuffix(chance.choice(["\n", "?"]))
    file = tmp_path / "f"
    file.write_bytes(before.encode())
    patch = diff(before, after)
    if before != after:
        assert patch
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert file.read_bytes() == after.encode()


def test_what_is_alike_at_both_ends_does_not_count() -> None:
    before = "".join(f" {line}" for line in LONG[199_997:200_000])
    behind = "".join(f" {line}" for line in LONG[200_000:200_003])
    found = diff("".join(LONG), "".join([*LONG[:200_000], "new\n", *LONG[200_000:]]))
    assert found == f"--- a/f\n+++ b/f\n@@ -199998,6 +199998,7 @@\n{before}+new\n{behind}"


def test_too_much_that_differs_is_not_compared() -> None:
    assert diff("".join(LONG), "".join(reversed(LONG))) is None
    assert diff("".join(LONG[: MOST_LINES + 1]), "x\n") is None
    assert diff("".join(LONG[:MOST_LINES]), "x\n") is not None
    assert len(lines_of(diff("", "".join(LONG)) or "")) == 3 + len(LONG)


def test_the_same_text_has_no_diff() -> None:
    assert diff("a\nb", "a\nb") == ""
    assert diff("", "") == ""
