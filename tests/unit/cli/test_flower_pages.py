"""Our changes in Flower's pages, made in the very files of the Flower that is installed."""

from pathlib import Path

import flower
from tornado.template import Template

from backend.cli.stack.flower_pages import task_page

PAGE = Path(flower.__file__).parent / "templates" / "task.html"


def test_a_task_links_to_its_run_and_has_no_empty_rows() -> None:
    before = PAGE.read_text("utf-8")
    assert "<dt>Keyword arguments</dt>" in before
    after = task_page(before, web_url="https://repomill.example.org/")
    assert '<a href="https://repomill.example.org/tasks/{{ url_escape(task.uuid) }}/">' in after
    assert "<dt>Project · step</dt>" in after
    for gone in ("<dt>Arguments</dt>", "<dt>Keyword arguments</dt>", "<dt>Result</dt>", "task.kwargs"):
        assert gone not in after
    # As many blocks are closed as are opened, so the page is whole; and it is a template.
    assert after.count("<div") == after.count("</div>")
    Template(after.replace('{% extends "base.html" %}', ""))


def test_a_page_that_is_worded_differently_is_shown_as_it_is() -> None:
    assert task_page("<p>another release</p>", web_url="https://a.example") == "<p>another release</p>"
