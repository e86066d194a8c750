"""One case or more for each rule of the path validator."""

from __future__ import annotations

import random
import string
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.apps.projects.errors import InvalidPath, QuotaExceeded
from backend.apps.projects.models import ProjectFile
from backend.apps.projects.services import paths
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.paths import (
    LONGEST_PATH,
    RULES,
    comparison_key,
    invalid_path,
    validate_path,
    validate_tree,
)

REFUSED = [
    ("", "empty"),
    ("/etc/passwd", "absolute"),
    ("..", "dotdot"),
    ("src/../../x", "dotdot"),
    (".", "dot"),
    ("src//main.py", "dot"),
    ("src/", "dot"),
    ("a\\b", "backslash"),
    ("c:", "drive-letter"),
    ("a\nb", "control-character"),
    ("a\x00", "control-character"),
    ("a\x85", "control-character"),
    ("a\u2028b", "control-character"),
    ("a\udc80", "not-unicode"),
    ("invoice\u202egpj.exe", "invisible-character"),
    ("zero\u200bwidth", "invisible-character"),
    ("\uff0e\uff0e/x", "hidden-separator"),
    ("a\uff0fb", "hidden-separator"),
    (".git", "dotgit"),
    ("docs/.Git/config", "dotgit"),
    (".git. .", "dotgit"),
    (".git::$INDEX_ALLOCATION", "dotgit"),
    ("git~1", "dotgit"),
    ("GIT~12", "dotgit"),
    (".gi\u200ct", "dotgit"),
    (".\u24d6it", "dotgit"),
    (".gitmodules", "git-configuration"),
    (".GitModules .", "git-configuration"),
    ("gitmod~1", "git-configuration"),
    ("GI7EBA~1", "git-configuration"),
    (".LFSconfig", "git-configuration"),
    ("lfscon~2", "git-configuration"),
    ("a.", "trailing-dot-or-space"),
    ("a ", "trailing-dot-or-space"),
    ("...", "trailing-dot-or-space"),
    ("what?", "windows-character"),
    ("key: value", "windows-character"),
    ("nul", "windows-device"),
    ("src/aux.c", "windows-device"),
    ("com\u00b9.txt", "windows-device"),
    ("ConOut$ .x", "windows-device"),
    ("LONGNA~1.TXT", "windows-short-name"),
    ("a" * 256, "name-too-long"),
    ("\u0416" * 128, "name-too-long"),
    ("\u0390" * 127, "name-too-long"),
    ("a/" * 2048 + "b", "path-too-long"),
    ("\u0416/" * 1400 + "b", "path-too-long"),
]

ACCEPTED = [
    "README.md",
    ".gitignore",
    ".gitattributes",
    ".gitmodules.md",
    "git/config",
    "-rf",
    "--",
    "a file with spaces.txt",
    " leading",
    "%2e%2e/%2fetc",
    "[slug]/(group)/@slot/+page.svelte",
    "{{cookiecutter.name}}/x",
    "\u0645\u0634\u0631\u0648\u0639/\u0645\u0644\u0641.txt",
    "e\u0301t\u00e9.md",
    "\u2764\ufe0f.md",
    "console.py",
    "com10",
    "backup~",
    "~user",
    "a~1.tar.gzip",
    "a" * 255,
    "\ufffe",
]


@pytest.mark.parametrize(("path", "rule"), REFUSED)
def test_each_rule_is_named(path, rule):
    with pytest.raises(InvalidPath) as refusal:
        validate_path(path)
    assert refusal.value.place["rule"] == rule
    assert refusal.value.hint == RULES[rule]
    assert refusal.value.code == "invalid_path"


@pytest.mark.parametrize("path", ACCEPTED)
def test_good_paths_come_back_unchanged(path):
    assert validate_path(path) == path


def test_every_rule_has_a_case():
    about_names = set(RULES) - {"type", "duplicate", "collision", "file-and-directory"}
    about_names -= {"link", "hard-link", "special-file"}
    assert about_names == {rule for _, rule in REFUSED}


def test_a_path_is_text():
    with pytest.raises(InvalidPath) as refusal:
        validate_path(7)  # type: ignore[arg-type]
    assert refusal.value.place["rule"] == "type"


def test_an_error_can_always_be_stored_and_is_never_huge():
    error = invalid_path("a\udc80" * 10_000, "not-unicode")
    assert len(error.message) < 1000
    assert error.place["path"].encode()
    assert "a\\udc80" in error.message


@pytest.mark.parametrize(
    ("files", "directories", "rule"),
    [
        (["a", "a"], [], "duplicate"),
        (["README.md", "readme.MD"], [], "collision"),
        (["dir/x", "DIR/y"], [], "collision"),
        (["a/B/c", "a/b/d"], [], "collision"),
        (["src/x"], ["SRC"], "collision"),
        (["stra\u00dfe", "STRASSE"], [], "collision"),
        (["caf\u00e9", "cafe\u0301"], [], "collision"),
        (["\ufb01le", "file"], [], "collision"),
        (["a", "a\ufe0f"], [], "collision"),
        (["a", "a/b"], [], "file-and-directory"),
        (["a/b", "a"], [], "file-and-directory"),
        (["a"], ["a"], "file-and-directory"),
        (["a"], ["a/b"], "file-and-directory"),
        (["a/../b"], [], "dotdot"),
        ([], [""], "empty"),
    ],
)
def test_names_are_compared_with_each_other(files, directories, rule):
    with pytest.raises(InvalidPath) as refusal:
        validate_tree(files=files, directories=directories)
    assert refusal.value.place["rule"] == rule


def test_a_collision_names_both():
    with pytest.raises(InvalidPath) as refusal:
        validate_tree(files=["src/A.py", "src/a.py"])
    assert (refusal.value.place["path"], refusal.value.place["other"]) == ("src/a.py", "src/A.py")


def test_a_tree_knows_all_its_directories():
    names = validate_tree(files=["a/b/c.txt", "a/d"], directories=["x/y", "a"])
    assert names.files == {"a/b/c.txt", "a/d"}
    assert names.directories == ["x", "x/y", "a", "a/b"]


def test_adding_again_changes_nothing():
    names = validate_tree(files=["a/b"])
    names.add_file("a/b")
    names.add_directory("a")
    assert (names.files, names.directories) == ({"a/b"}, ["a"])


@pytest.mark.parametrize(
    ("limits", "files", "directories", "limit"),
    [
        (Limits(files=1), ["a", "b"], [], "files"),
        (Limits(directories=1), ["a/b/c"], [], "directories"),
        (Limits(depth=2), ["a/b/c/d"], [], "depth"),
        (Limits(depth=2), [], ["a/b/c"], "depth"),
    ],
)
def test_limits_are_named(limits, files, directories, limit):
    with pytest.raises(QuotaExceeded) as refusal:
        validate_tree(files=files, directories=directories, limits=limits)
    assert refusal.value.place["limit"] == limit
    assert refusal.value.place["value"] == refusal.value.place["maximum"] + 1


def test_a_limit_itself_is_accepted():
    names = validate_tree(files=["a/b/c"], directories=["d/e"], limits=Limits(files=1, directories=4, depth=2))
    assert names.files == {"a/b/c"}


@given(st.text())
def test_a_path_is_refused_or_returned_as_it_is(path):
    with suppress(InvalidPath):
        assert validate_path(path) == path
        names = path.split("/")
        assert not {"", ".", "..", ".git"} & {comparison_key(name) for name in names}
        assert not any(set(name) & set('\\:*?"<>|\0\n') for name in names)


WORDS = [
    "git",
    "gitmodules",
    "lfsconfig",
    "con",
    "CLOCK$",
    "lpt9",
    "gitmod~1",
    "a",
    "_",
    "-",
    ".",
    " ",
    "~1",
    "0",
    "\u00fc",
]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map("".join))
def test_what_is_taken_for_harmless_at_a_glance_breaks_no_rule(name):
    if paths._harmless.fullmatch(name):
        assert paths._looked_at(name) is None
    assert paths.broken_rule(name) == paths._looked_at(name)


@given(st.text(min_size=1))
def test_other_case_and_composition_compare_equal(name):
    for form in ("NFC", "NFD", "NFKC"):
        assert comparison_key(unicodedata.normalize(form, name)) == comparison_key(name)
    assert comparison_key(name.casefold()) == comparison_key(name)


@pytest.mark.django_db
def test_the_longest_path_can_be_recorded(make):
    """PostgreSQL indexes no row of more than 2,704 bytes that it cannot compress."""
    letters = random.Random(1)
    names = ["".join(letters.choices(string.ascii_letters, k=200)) for _ in range(33)]
    path = "/".join(names)[:LONGEST_PATH]
    make(structure={path: "x"})
    assert ProjectFile.objects.get().file_path == path
