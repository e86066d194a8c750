"""Indexes in the order of the lists. On PostgreSQL they are built while everything goes on; SQLite has one writer anyway."""

from django.conf import settings
from django.db import migrations, models

from backend.unlocked_indexes import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("workflows", "0003_when_published"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            AddIndexBeside(
                model_name="workflowexecution",
                index=models.Index(fields=[*fields, "created_at", "id"], name=name),
            )
            for name, fields in {
                "execution_newest": [],
                "execution_of_status": ["status"],
                "execution_of_project": ["project_id"],
                "execution_of_user": ["user"],
                "execution_of_workflow": ["workflow"],
            }.items()
        ),
        AddIndexBeside(
            model_name="taskexecution",
            index=models.Index(fields=["execution", "created_at", "id"], name="task_of_execution"),
        ),
        AddIndexBeside(
            model_name="taskexecution",
            index=models.Index(
                fields=["created_at", "id"], name="task_in_doubt", condition=models.Q(("status", "in_doubt"))
            ),
        ),
    ]
