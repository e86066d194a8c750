"""The page of settings, from the docstrings of the one typed class that reads the environment."""

from __future__ import annotations

import ast
import inspect
import re

from backend.config import environment
from scripts.reference.page import cell, code, page, plain, table

WORDS = re.compile(r"(?P<names>[A-Z][A-Z_]+(?:, or the content of the file [A-Z_]+)?): (?P<text>.*)", re.DOTALL)


def render() -> str:
    """Return the page."""
    return page(
        "Settings",
        "Every setting is an environment variable; `repomill doctor` says what they come to. One that is senseless"
        " fails at start, with its name. Durations are seconds.",
        table(["variable", "what it says"], rows()),
    )


def rows() -> list[tuple[str, str]]:
    """Return name and meaning of each setting, in the order of the class."""
    source = ast.parse(inspect.getsource(environment))
    (class_,) = (node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Environment")
    found = []
    for node, following in zip(class_.body, class_.body[1:], strict=False):
        if not isinstance(node, ast.AnnAssign):
            continue
        told = WORDS.match(_text(following))
        if told is None:
            raise ValueError(f"the setting {ast.unparse(node.target)} does not say which variable it is")
        names = re.findall(r"[A-Z][A-Z_]+", told["names"])
        text = cell(told["text"])
        found.append((" or ".join(map(code, names)), plain(text[0].upper() + text[1:])))
    return found


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return str(node.value.value)
    return ""
