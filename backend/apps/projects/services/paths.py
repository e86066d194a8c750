"""The path validator: every name that enters or leaves a workspace passes here, and only here.

A path is relative, posix, and made of names that mean the same file on every system that may check the project out.
Nothing is ever decoded, normalised or repaired: a path is used exactly as it was given, or refused. So `%2e%2e` is a
file with percent signs in its name.

This module looks at names alone; links, races and what lies on the disk are `workspace`'s.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services.limits import Limits

LONGEST_NAME = 255
LONGEST_PATH = 2048
"""Bytes. PostgreSQL indexes no row of more than 2,704."""

# What each rule asks for; the keys are the stable values of the error's `rule`.
RULES = {
    "type": "A path is text.",
    "empty": "A path needs at least one name.",
    "absolute": "A path is relative to the project and does not begin with a slash.",
    "dotdot": "A path cannot leave its directory: '..' is no name.",
    "dot": "A path has no empty name and no '.': write a/b, not a//b, ./a/b or a/b/.",
    "backslash": "Directories are separated by '/', and no name holds a backslash.",
    "drive-letter": "A path does not begin with a drive or device.",
    "control-character": "A name has no NUL, line break or other control character.",
    "not-unicode": "A name is valid Unicode text.",
    "invisible-character": "A name has no invisible or direction-changing character.",
    "hidden-separator": "A name does not turn into a separator or into dots when a system normalises it.",
    "dotgit": "No name is .git in any spelling: the history of a project is kept outside it.",
    "git-configuration": ".gitmodules and .lfsconfig make git contact other servers, so no project holds them.",
    "trailing-dot-or-space": "A name does not end in a dot or a space: Windows drops them.",
    "windows-character": 'A name has none of < > : " | ? *, which Windows cannot store.',
    "windows-device": "A name is not that of a Windows device such as CON or COM1, with or without an extension.",
    "windows-short-name": "A name does not look like a short name of Windows such as LONGNA~1.TXT.",
    "name-too-long": f"A name has at most {LONGEST_NAME} bytes, also when it is written decomposed.",
    "path-too-long": f"A path has at most {LONGEST_PATH} bytes.",
    "duplicate": "A path is given once.",
    "collision": "Two names in one directory differ by more than case, accents' spelling or invisible characters.",
    "file-and-directory": "A path is either a file or a directory.",
    "link": "A workspace holds no links: remove it, or clean the workspace up and generate it again.",
    "hard-link": "A file of a workspace has one name only: remove it, or generate the workspace again.",
    "special-file": "A workspace holds files and directories only: no pipes, sockets or devices.",
}

# Default_Ignorable_Code_Point of the Unicode database, which Python does not carry. Git drops some of these when it
# compares a name with `.git`, since HFS+ does; other systems drop others.
_VARIATION_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_invisible = re.compile(f"[{_IGNORABLE}]")
_ignored_when_compared = re.compile(f"[{_IGNORABLE}{_VARIATION_SELECTORS}]")
_control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_surrogate = re.compile("[\ud800-\udfff]")
_windows_character = re.compile(r'[<>:"|?*]')
_short_name = re.compile(r"(?=[^.]{2,8}(?:\.|$))[^.]*~[0-9]+(?:\.[^.]{0,3})?", re.DOTALL)
_short_dotgit = re.compile(r"git~[0-9]+")
# gi7eba is the checksum that NTFS gives `.gitmodules` when the plain short names are taken.
_short_gitmodules = re.compile(r"gitmod~[0-9]+|gi7e[0-9a-f]{0,2}~[0-9]+|lfscon~[0-9]+")
_plain = re.compile(r"[ !#$%&'()+,\-.0-9;=@A-Z\[\]^_`a-z{}]{1,255}(?<![ .])")
# Plain, without a tilde, beginning with no dot, and longer up to the first one than any device's name: most names. They
# are too many to be remembered.
_harmless = re.compile(r"[\-0-9A-Z_a-z]{9}[\-.0-9A-Z_a-z]{0,245}(?<!\.)")
_devices = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
)
_git_configuration = frozenset([".gitmodules", ".lfsconfig"])


def validate_path(path: str) -> str:
    """Return the path unchanged if it can be used in a project.

    Raises InvalidPath with `path` and `rule`, one of RULES.
    """
    _check_whole(path)
    for name in path.split("/"):
        _check_name(name, path)
    return path


def validate_tree(*, files: Iterable[str], directories: Iterable[str] = (), limits: Limits | None = None) -> Names:
    """Check all names of a structure together and return them, with the directories that the paths imply.

    Raises InvalidPath as `validate_path` does, and for a path given twice, two names of one directory that some system
    takes for one, or a path that is both file and directory. Raises QuotaExceeded for depth and counts.
    """
    names = Names(limits=limits or Limits())
    for path in directories:
        names.add_directory(path)
    for path in files:
        names.add_file(path, new=True)
    return names


class Names:
    """The names of one tree: each is validated and compared with its siblings as it is added.

    `files` and `directories` hold the paths so far; directories with all their parents, in the order they were added.
    """

    def __init__(self, *, limits: Limits) -> None:
        self.files: set[str] = set()
        self.directories: list[str] = []
        self._limits = limits
        self._by_key: dict[str, str] = {}
        self._keys: dict[str, str] = {"": ""}

    def add_file(self, path: str, *, new: bool = False) -> None:
        """Add a file; adding it again changes nothing, or is refused. Raises InvalidPath or QuotaExceeded.

        new: whether it must not be there yet.
        """
        _check_whole(path)
        if path in self.files:
            if new:
                raise invalid_path(path, "duplicate")
            return
        if path in self._keys:
            raise invalid_path(path, "file-and-directory")
        self._limits.require_depth(path, is_directory=False)
        self._limits.require("files", len(self.files) + 1)
        self._claim(path)
        self.files.add(path)

    def add_directory(self, path: str) -> None:
        """Add a directory and its parents; adding it again changes nothing. Raises InvalidPath or QuotaExceeded."""
        _check_whole(path)
        if path not in self._keys:
            self._add_directory(path)

    def _add_directory(self, path: str) -> None:
        if path in self.files:
            raise invalid_path(path, "file-and-directory")
        self._limits.require_depth(path, is_directory=True)
        key = self._claim(path)
        self._limits.require("directories", len(self.directories) + 1)
        self._keys[path] = f"{key}/"
        self.directories.append(path)

    def _claim(self, path: str) -> str:
        parent, _, name = path.rpartition("/")
        if parent not in self._keys:
            self._add_directory(parent)
        _check_name(name, path)
        key = self._keys[parent] + comparison_key(name)
        other = self._by_key.setdefault(key, path)
        if other != path:
            raise invalid_path(path, "collision", other=other)
        return key


def comparison_key(name: str) -> str:
    """Return what is equal for two names that some file system takes for one (case, composition, ignorables)."""
    if name.isascii():
        return name.lower()
    # toNFKC_Casefold of the Unicode standard, section 3.13.
    visible = _ignored_when_compared.sub("", unicodedata.normalize("NFD", name))
    folded = unicodedata.normalize("NFKC", visible.casefold()).casefold()
    return unicodedata.normalize("NFKC", _ignored_when_compared.sub("", folded))


def _check_whole(path: str) -> None:
    if not isinstance(path, str):
        raise invalid_path(repr(path), "type")
    if not path:
        raise invalid_path(path, "empty")
    if path[0] == "/":
        raise invalid_path(path, "absolute")
    if len(path) > LONGEST_PATH or (not path.isascii() and len(path.encode("utf-8", "replace")) > LONGEST_PATH):
        raise invalid_path(path, "path-too-long")


def _check_name(name: str, path: str) -> None:
    rule = broken_rule(name)
    if rule:
        raise invalid_path(path, rule)


def broken_rule(name: str) -> str | None:
    """Return the first of RULES that one name of a path breaks, or None."""
    return None if _harmless.fullmatch(name) else _looked_at(name)


@lru_cache(maxsize=16_384)
def _looked_at(name: str) -> str | None:
    if _plain.fullmatch(name):
        return _reserved(name.lower())
    if name in {"", "."}:
        return "dot"
    if name == "..":
        return "dotdot"
    return _forbidden_character(name) or _reserved(comparison_key(name)) or _unportable(name)


def _forbidden_character(name: str) -> str | None:
    if _surrogate.search(name):
        return "not-unicode"
    if "\\" in name:
        return "backslash"
    if _control.search(name):
        return "control-character"
    normal = unicodedata.normalize("NFKC", name)
    if normal != name and (re.search(r"[/\\]", normal) or _control.search(normal) or not normal.strip(" .")):
        return "hidden-separator"
    return None


def _reserved(key: str) -> str | None:
    """Look at a name's comparison key, cut as Windows cuts it: at a stream's colon, then trailing dots and spaces."""
    trimmed = key.partition(":")[0].rstrip(" .")
    if trimmed == ".git" or _short_dotgit.fullmatch(trimmed):
        return "dotgit"
    if trimmed in _git_configuration or _short_gitmodules.fullmatch(trimmed):
        return "git-configuration"
    if trimmed.partition(".")[0].rstrip(" ") in _devices:
        return "windows-device"
    return None


def _unportable(name: str) -> str | None:
    if _invisible.search(name):
        return "invisible-character"
    if name[-1] in " .":
        return "trailing-dot-or-space"
    if name[1:2] == ":":
        return "drive-letter"
    if _windows_character.search(name):
        return "windows-character"
    if _short_name.fullmatch(name):
        return "windows-short-name"
    decomposed = unicodedata.normalize("NFD", name).encode("utf-16-le")
    if len(name.encode()) > LONGEST_NAME or len(decomposed) // 2 > LONGEST_NAME:
        return "name-too-long"
    return None


def invalid_path(path: str, rule: str, *, other: str | None = None) -> InvalidPath:
    """Build the error for a path that breaks one of RULES; `other` is the path that it clashes with."""
    shown = repr(path if len(path) <= 200 else f"{path[:200]}...")
    against = f" beside {other!r}" if other else ""
    return InvalidPath(
        f"The path {shown}{against} cannot be used.",
        hint=RULES[rule],
        path=path.encode("utf-8", "backslashreplace").decode()[:LONGEST_PATH],
        rule=rule,
        other=other,
    )
