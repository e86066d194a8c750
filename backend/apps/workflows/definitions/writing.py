"""Writes a definition's data as YAML that `source` reads back as the same data. How it was laid out is not kept."""

from __future__ import annotations

from typing import Any

import yaml

from backend.apps.workflows.definitions.source import PlainLoader

WIDTH = 110

_LINE_ENDS = "\r\x85\u2028\u2029\ufeff"


class _PlainDumper(yaml.SafeDumper):
    """Writes JSON's values: a text that would be read as anything else is put in quotes."""

    yaml_implicit_resolvers = PlainLoader.yaml_implicit_resolvers

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists below their key too, as people do."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002
        """Write everything out: the reader takes no aliases."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # What YAML takes for the end of a line, or drops, is spelled out.
    spelled_out = text == "<<" or any(character in text for character in _LINE_ENDS)
    style = '"' if spelled_out else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainDumper.add_representer(str, _text)


def as_yaml(data: Any) -> str:  # noqa: ANN401  (JSON)
    """Return JSON data as YAML."""
    return yaml.dump(data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=WIDTH)
