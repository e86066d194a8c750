"""A project for pages to show: its files and their history, a draft, archives, exports and members.

Files, commits, archives and the draft are made by the real services; what has become of exports to other hosts is said
as if they had been done. `build` runs inside an installation's process.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.deliver import deliver_archive
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services import workspace_commit, workspace_files
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.labels import change_labels
from backend.apps.projects.services.membership import add_member
from backend.apps.projects.services.paths import validate_path
from backend.apps.projects.services.planning import create_project
from backend.apps.projects.services.workspace_files import Expected

MAIN = '''"""Answers orders of the shop."""

from __future__ import annotations

from dataclasses import dataclass

TAX = 0.19


@dataclass(frozen=True)
class Order:
    """What somebody has ordered."""

    name: str
    count: int = 1

    def total(self, price: float) -> float:
        # The tax is the country's, not ours.
        return round(self.count * price * (1 + TAX), 2)


def main() -> None:
    for order in (Order("tea"), Order("cups", count=4)):
        print(f"{order.name}: {order.total(price=3.5)}")


if __name__ == "__main__":
    main()
'''
TEST = """from storefront.main import Order


def test_total() -> None:
    assert Order("tea").total(1) == 1.19
"""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FILES = [
    {"path": "src/storefront/main.py", "content": MAIN},
    {"path": "src/storefront/__init__.py", "content": ""},
    {"path": "src/storefront/static/app.js", "content": "// Counts.\nexport const count = (all) => all.length;\n"},
    {"path": "src/storefront/static/logo.png", "content": base64.b64encode(PIXEL).decode(), "encoding": "base64"},
    {"path": "tests/test_main.py", "content": TEST},
    {"path": "deploy/compose.yaml", "content": "services:\n  web:\n    image: storefront:latest\n    ports: [8000]\n"},
    {"path": "pyproject.toml", "content": "[project]\nname = \"storefront\"\nversion = \"1.0\"\n"},
    {"path": "data/orders.csv", "content": "name,count\n" + "tea,1\n" * 60_000},
    {"path": "README.md", "content": "# Storefront\n\nAnswers orders of the shop.\n"},
]  # fmt: skip


def build(words: Sequence[str] = ()) -> dict[str, str]:
    """Make it; return the ids of what pages are opened by. words: hostile texts, for a project of their own."""
    ada = User.objects.get(username="ada")
    made = create_project(
        user=ada, name="Storefront", slug="storefront", description="The shop's pages and the service behind them."
    )
    change_labels(user=ada, project=made, add=["nightly", "customer-acme"])
    for name, role in (("grace", "maintainer"), ("linus", "author"), ("margaret", "viewer")):
        User.objects.create_user(name, password=None)
        add_member(user=ada, project_id=made.pk, username=name, role=role)
    add_credential(user=ada, name="acme-bot", host="github", secret=Secret("ghp_" + "x" * 36))
    first = _generated(made, ada, [each for each in FILES if not each["path"].startswith(("deploy", "data"))], days=9)
    second = _generated(made, ada, FILES, days=3, based_on=str(first.pk))
    changed = MAIN.replace("TAX = 0.19", "TAX = 0.20").replace("4)", "6)")
    third = _generated(
        made, ada, [{"path": "src/storefront/main.py", "content": changed}], days=1, based_on=str(second.pk)
    )
    for format, generation in (("zip", second), ("tar.gz", second), ("zip", third)):
        _archive(made, ada, generation, format)
    _exports(ada, second, third)
    workspace_commit.check_out(project=made)
    _write(ada, made, "README.md", "# Storefront\n\nAnswers orders of the shop, quickly.\n")
    _write(ada, made, "docs/guide.md", "# Guide\n")
    answer = {"project": str(made.pk), "first": str(first.pk), "second": str(second.pk), "third": str(third.pk)}
    answer["archive"] = str(RepositoryExport.objects.filter(generated_project=third, export_type="zip").get().pk)
    empty = create_project(user=ada, name="Nothing yet", slug="nothing-yet")
    return {**answer, "empty": str(empty.pk), **(_hostile(ada, words) if words else {})}


def _generated(
    project: Project, user: User, files: Sequence[dict[str, str]], *, days: int, based_on: str | None = None
) -> GeneratedProject:
    done = generate(project=project, user=user, execution_id=None, based_on=based_on, files=files)
    found = GeneratedProject.objects.get(pk=done["generation"])
    when = timezone.now() - timedelta(days=days)
    GeneratedProject.objects.filter(pk=found.pk).update(created_at=when, completed_at=when + timedelta(seconds=2))
    return found


def _archive(project: Project, user: User, generation: GeneratedProject, format: str) -> None:
    deliver_archive(
        project=project,
        user=user,
        key=f"world/{generation.pk}/{format}",
        execution_id=None,
        format=format,
        generation_id=str(generation.pk),
    )


def _exports(user: User, second: GeneratedProject, third: GeneratedProject) -> None:
    for number, (generation, kind, status, error) in enumerate(
        (
            (second, "github", "completed", ""),
            (third, "gitlab", "failed", "The branch main of acme/storefront has moved on since the last export."),
            (third, "github", "exporting", ""),
            (third, "tar", "pending", ""),
        )
    ):
        done = status == "completed"
        RepositoryExport.objects.create(
            key=f"world/exports/{number}",
            generated_project=generation,
            export_type=kind,
            repository_name="" if kind == "tar" else "acme/storefront",
            repository_url=f"https://{kind}.com/acme/storefront.git" if done else "",
            commit=generation.commit if done else "",
            status=status,
            error_message=error,
            created_by=user,
        )


def _write(user: User, project: Project, path: str, content: str) -> None:
    workspace_files.write_file(user=user, project_id=project.pk, path=path, data=content.encode(), expected=Expected())


def _hostile(user: User, words: Sequence[str]) -> dict[str, str]:
    """Make a project of which every text is somebody's attack."""
    project = create_project(user=user, name=words[0][:200], slug="hostile", description=" ".join(words)[:2000])
    text = "\n".join(words)
    # A name with < or " is refused; what is left of the words has the rest.
    names = [word.translate(str.maketrans('/\\:<>"|?*', "_________")).strip(" .")[:60] for word in words]
    paths = [f"src/{number} {name}.html" for number, name in enumerate(names) if _possible(f"src/{number} {name}.html")]
    files = [{"path": path, "content": text} for path in paths]
    first = _generated(project, user, files, days=2)
    second = _generated(
        project, user, [{"path": files[0]["path"], "content": text[::-1]}], days=1, based_on=str(first.pk)
    )
    _write(user, project, files[0]["path"], f"{text}\n\u202egnihton")
    RepositoryExport.objects.create(
        key="world/hostile",
        generated_project=second,
        export_type="git",
        repository_name=words[1][:200],
        repository_url="javascript:alert(1)//",
        status="failed",
        error_message=" ".join(words)[:2000],
        created_by=user,
    )
    return {"hostile": str(project.pk), "hostile_generation": str(second.pk), "hostile_path": files[0]["path"]}


def _possible(path: str) -> bool:
    try:
        return bool(validate_path(path))
    except InvalidPath:
        return False
