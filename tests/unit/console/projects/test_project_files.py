"""The files of a project on its pages: looked at, changed by hand, and what generations changed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services import workspace_files
from tests.unit.console.conftest import browser
from tests.unit.console.projects.conftest import EVIL, at, draft, generated
from tests.unit.console.test_runs import _queries

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "page",
    [
        "",
        "draft/",
        "draft/changes/",
        "generations/GEN/",
        "generations/GEN/files/",
        "generations/GEN/file/?path=f/0.txt",
    ],
)
def test_a_page_of_files_costs_the_same_whatever_it_holds(ada: User, page: str) -> None:
    counts = []
    client = browser(ada)
    for count in (2, 60):
        project = Project.objects.create(name="Many", slug=f"many-{count}", owner=ada)
        files = {f"f__{number}_txt": f"{number}\n" for number in range(count)}
        made = generated(project, **files)
        for number in range(0, count, 5):
            draft(project, f"f/{number}.txt", "changed\n")
        counts.append(_queries(client, at(project, page.replace("GEN", str(made.pk)))))
    assert counts[0] == counts[1]


def test_files_are_a_tree_and_text_in_lines(ada: User, shop: Project) -> None:
    made = generated(shop, src__deep__er__main_py="import os\n\n\nprint(1)\r\n", a_txt="", b_bin="x\0y")
    client = browser(ada)
    page = client.get(at(shop)).text
    assert "<bdi>src/deep/er</bdi>" in page
    assert f"/generations/{made.pk}/file/?path=src/deep/er/main.py" in page
    file = client.get(at(shop, f"generations/{made.pk}/file/?path=src/deep/er/main.py")).text
    assert 'data-language="python"' in file
    lines = re.findall(r'<span class="code-line" id="L(\d+)">(.*?)\n</span>', file, re.DOTALL)
    assert lines == [("1", "import os"), ("2", ""), ("3", ""), ("4", "print(1)")]
    assert "It is empty" in client.get(at(shop, f"generations/{made.pk}/file/?path=a.txt")).text
    assert "It is no text" in client.get(at(shop, f"generations/{made.pk}/file/?path=b.bin")).text
    for missing in ("file/?path=none", "file/", "file/?path=a%00b", "raw/?path=none", "files/?below=none"):
        assert client.get(at(shop, f"generations/{made.pk}/{missing}")).status_code == 404
    other = Project.objects.create(name="Other", slug="other", owner=ada)
    assert client.get(at(other, f"generations/{made.pk}/")).status_code == 404


def test_a_large_tree_is_shown_one_directory_at_a_time(ada: User, shop: Project) -> None:
    files = {f"d{number % 7}__s__f{number}_txt": "x" for number in range(500)}
    made = generated(shop, **files)
    client = browser(ada)
    page = client.get(at(shop)).text
    assert "?below=d3/s" in page
    assert "f3.txt" not in page
    below = client.get(at(shop, f"generations/{made.pk}/files/?below=d3/s")).text
    assert "f3.txt" in below
    assert "f4.txt" not in below


def test_large_files_are_shown_in_part_and_sent_whole(ada: User, shop: Project) -> None:
    text = "line of a large file\n" * 40_000
    made = generated(shop, large_txt=text)
    client = browser(ada)
    page = client.get(at(shop, f"generations/{made.pk}/file/?path=large.txt"))
    assert page.text.count('class="code-line"') == 5000
    assert "Download the whole" in page.text
    sent = client.get(at(shop, f"generations/{made.pk}/raw/?path=large.txt"))
    assert sent.getvalue().decode() == text
    assert sent["Content-Disposition"] == 'attachment; filename="large.txt"'
    assert "sandbox" in sent["Content-Security-Policy"]
    assert sent["X-Content-Type-Options"] == "nosniff"


def test_what_turns_the_writing_is_said(ada: User, shop: Project) -> None:
    draft(shop, "a.py", "x = 1 # \u202e txen\n")
    draft(shop, "b.py", "x = 1\n")
    client = browser(ada)
    assert "turn the direction" in client.get(at(shop, "draft/file/?path=a.py")).text
    assert "turn the direction" not in client.get(at(shop, "draft/file/?path=b.py")).text


def fields(page: str) -> dict[str, str]:
    """Return what a form would send that nobody has touched."""
    found = dict(re.findall(r'<input type="hidden" name="(digest|ending)" value="(.*?)"', page))
    text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert text
    # Browsers end lines so, whatever they were given.
    return {**found, "content": unescape(text[1]).replace("\r\n", "\n").replace("\n", "\r\n")}


@pytest.mark.parametrize("text", ["a\nb\n", "\n\n<b>&amp;\n", "a\r\nb\r\n", "no end", "", f"{EVIL}\t\x0c é \u2028\n"])
def test_a_file_that_nobody_changes_stays_as_it_is(ada: User, shop: Project, text: str) -> None:
    before = draft(shop, "a.txt", text)
    client = browser(ada)
    address = at(shop, "draft/edit/?path=a.txt")
    assert client.post(address, fields(client.get(address).text)).status_code == 302
    assert workspace_files.read_file(shop, path="a.txt", most=99) == text.encode()
    assert draft(shop, "a.txt", text) == before


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a\r\nb\n", "more than one way"),
        (b"a\rb", "more than one way"),
        (b"\xff", "no text"),
        (b"x" * 1_100_000, "larger"),
    ],
)
def test_what_a_form_would_change_is_not_edited(ada: User, shop: Project, data: bytes, why: str) -> None:
    draft(shop, "a.txt", data)
    page = browser(ada).get(at(shop, "draft/edit/?path=a.txt")).text
    assert why in page
    assert "<textarea" not in page


def test_a_file_is_written_over_what_was_read_alone(ada: User, shop: Project) -> None:
    draft(shop, "a.txt", "one\n")
    client = browser(ada)
    address = at(shop, "draft/edit/?path=a.txt")
    mine = {**fields(client.get(address).text), "content": "mine\r\n"}
    draft(shop, "a.txt", "theirs\n")
    refused = client.post(address, mine)
    assert refused.status_code == 412
    assert "Somebody has changed the file meanwhile" in refused.text
    assert '<div class="line removed">-theirs</div>' in refused.text
    assert '<div class="line added">+mine</div>' in refused.text
    assert workspace_files.read_file(shop, path="a.txt", most=99) == b"theirs\n"
    assert client.post(address, fields(refused.text)).status_code == 302
    assert workspace_files.read_file(shop, path="a.txt", most=99) == b"mine\n"
    stale = client.post(at(shop, "draft/remove/"), {"path": "a.txt", "digest": mine["digest"]}, follow=True)
    assert "is-bad" in stale.text
    assert workspace_files.list_files(shop)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("../x", 400, "cannot be used"),
        ("/etc/passwd", 400, "cannot be used"),
        (".git/config", 400, "cannot be used"),
        ("", 400, "cannot be used"),
        ("a.txt", 412, "There is a file of this name"),
        (f"{EVIL}", 400, "cannot be used"),
    ],
)
def test_a_new_file_has_a_good_name(ada: User, shop: Project, path: str, status: int, words: str) -> None:
    draft(shop, "a.txt", "one\n")
    answer = browser(ada).post(at(shop, "draft/edit/"), {"path": path, "content": "kept words"})
    assert answer.status_code == status
    assert words in answer.text
    assert "kept words" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "<script>alert" not in answer.text
    assert [entry.path for entry in workspace_files.list_files(shop)] == ["a.txt"]


def test_from_a_generation_to_the_next_by_hand(ada: User, shop: Project, first: GeneratedProject) -> None:
    client = browser(ada)
    edit = at(shop, "draft/edit/?path=src/main.py")
    assert "This file is not in the draft" in client.get(edit).text
    begun = client.post(at(shop, "draft/begin/"), {"path": "src/main.py"})
    assert begun["Location"].endswith("draft/edit/?path=src%2Fmain.py")
    client.post(edit, {**fields(client.get(edit).text), "content": "print('ho')\r\n"})
    changes = unescape(client.get(at(shop, "draft/changes/")).text)
    assert "<div class=\"line removed\">-print('hi')</div>" in changes
    assert "<div class=\"line added\">+print('ho')</div>" in changes
    kept = client.post(at(shop, "draft/keep/"))
    new = GeneratedProject.objects.exclude(pk=first.pk).get()
    assert kept["Location"] == at(shop, f"generations/{new.pk}/")
    page = unescape(client.get(kept["Location"]).text)
    assert "<div class=\"line added\">+print('ho')</div>" in page
    assert "0 added, 1 changed, 0 removed" in page
    patch = client.get(at(shop, f"generations/{new.pk}/patch/"))
    assert b"+print('ho')" in patch.getvalue()
    assert "attachment" in patch["Content-Disposition"]
    back = unescape(client.get(at(shop, f"generations/{first.pk}/?against={new.pk}")).text)
    assert "<div class=\"line added\">+print('hi')</div>" in back
    assert "neither a generation nor a commit" in client.get(at(shop, f"generations/{new.pk}/?against=nope")).text
    again = client.post(at(shop, "draft/keep/"), follow=True)
    assert "Nothing has changed" in again.text


def test_where_the_store_is_gone_the_page_says_so(
    ada: User, shop: Project, first: GeneratedProject, settings: Any
) -> None:
    settings.GIT_STORES_DIR = settings.GIT_STORES_DIR.with_name("elsewhere")
    client = browser(ada)
    for page in (f"generations/{first.pk}/", f"generations/{first.pk}/file/?path=README.md"):
        answer = client.get(at(shop, page))
        assert answer.status_code == 200
        assert "is-bad" in answer.text
    assert client.get(at(shop, f"generations/{first.pk}/raw/?path=README.md")).status_code == 404


def test_a_large_change_leaves_room_for_the_others(ada: User, shop: Project) -> None:
    generated(shop, README_md="# Shop\n")
    large = "".join(f"line {number} diff --git a/x b/x\n" for number in range(30_000))
    made = generated(shop, a_csv=large, b_min_js="x" * 50_000 + "\n", README_md="# Shop!\n", z_txt="last words\n")
    page = browser(ada).get(at(shop, f"generations/{made.pk}/")).text
    assert "There is more of it" in page
    assert "+line 1 diff" in page
    assert "+line 1000 diff" not in page
    assert '<div class="line added">+last words</div>' in page
    assert "+# Shop!" in page
    assert len(page) < 200_000


def test_a_large_file_of_a_draft_is_not_compared(ada: User, shop: Project) -> None:
    generated(shop, a_csv="before\n" * 20_000, z_txt="before\n")
    draft(shop, "a.csv", "after\n")
    draft(shop, "z.txt", "after\n")
    page = browser(ada).get(at(shop, "draft/changes/")).text
    assert page.count('<div class="line removed">-before</div>') == 1
    assert "not shown" in page


def test_a_new_file_does_not_do_away_with_the_others(ada: User, shop: Project, first: GeneratedProject) -> None:
    client = browser(ada)
    assert workspace_files.list_files(shop) == []
    page = client.get(at(shop, "draft/edit/")).text
    assert "There is no draft yet" in page
    assert "<textarea" not in page
    client.post(at(shop, "draft/begin/"))
    assert "<textarea" in client.get(at(shop, "draft/edit/")).text
    client.post(at(shop, "draft/edit/"), {"path": "new.txt", "content": "new"})
    page = client.get(at(shop, "draft/changes/")).text
    assert "1 added, 0 changed, 0 removed" in page
    assert "not in the draft" not in page
    workspace_files.delete_files(shop, paths=["README.md"])
    assert "1 file of" in client.get(at(shop, "draft/changes/")).text
