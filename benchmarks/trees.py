"""The trees that are measured: real text files, and the plain loop that writes them."""

from __future__ import annotations

from pathlib import Path

import django


def real_tree(most: int) -> dict[str, str]:
    """Return text files of Django's own source, path to content."""
    root = Path(django.__file__).parent
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if len(found) == most:
            break
        if path.is_file() and path.suffix in {".py", ".html", ".js", ".css", ".po", ".txt"}:
            found[path.relative_to(root).as_posix()] = path.read_text("utf-8", "replace")
    return found


def large_tree(count: int) -> dict[str, str]:
    """Return that many small files, each different, in directories of a hundred."""
    texts = [text[:1500] for text in real_tree(500).values() if text]
    return {
        f"part{number // 2000}/module{number // 100}/file{number}.py": f"# {number}\n{texts[number % len(texts)]}"
        for number in range(count)
    }


def said(files: dict[str, str]) -> str:
    """Return how large a tree is, in words."""
    return f"{len(files):,} files, {sum(len(text.encode()) for text in files.values()) / 1e6:.0f} MB"


def plain_loop(files: dict[str, str], target: Path) -> None:
    """Write a tree as one would by hand."""
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
