from django.db import migrations, models

from backend.unlocked_indexes import AddIndexBeside


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('exports', '0004_told_by_each_way'),
    ]

    operations = [
        AddIndexBeside(
            model_name='bulkexportitem',
            index=models.Index(condition=models.Q(('export__isnull', False)), fields=['export'], name='bulk_item_export'),
        ),
        AddIndexBeside(
            model_name='bulkexportitem',
            index=models.Index(condition=models.Q(('status__in', ['pending', 'in_flight'])), fields=['generation'], name='bulk_item_open_generation'),
        ),
    ]
