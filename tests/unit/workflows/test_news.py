"""What is new for the listeners of event streams."""

import pytest
from django.db import connection

from backend.apps.workflows.models import ExecutionEvent
from backend.apps.workflows.serializers.executions import LARGEST_INT
from backend.apps.workflows.streaming.news import read_news
from tests.unit.workflows.controlled import ONE

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_asks_for_what_comes_after_the_largest_number_takes_the_news_from_nobody(start, runner):
    for execution in [start(ONE) for _ in range(20)]:
        runner.until_idle()
        more = (ExecutionEvent(execution=execution, sequence=number, kind="x") for number in range(10, 310))
        ExecutionEvent.objects.bulk_create(more)
    with connection.cursor() as cursor:
        # PostgreSQL looks the place up in an index, as it does where there are many events.
        cursor.execute("ANALYZE")
    news = read_news({(execution.pk, 4), (execution.pk, LARGEST_INT)})
    assert [frame.sequence for frame in news.frames[execution.pk, 4]] == [5, *range(10, 205)]
