"""Which channels have a meter, and which have a negative power alone."""

from django.db import migrations, models
from django.db.models import Exists, OuterRef

HISTORY = ("Run", "DayTotal", "PowerLog")


def mark_those_with_history(apps, schema_editor):
    # What has run, or has a row, was metered. All others say so themselves when they connect.
    using = schema_editor.connection.alias
    same = {"device_id": OuterRef("device_id"), "channel": OuterRef("channel")}
    channels = apps.get_model("powerlog", "Channel").objects.using(using)
    for model in HISTORY:
        past = apps.get_model("powerlog", model).objects.filter(**same)
        channels.filter(Exists(past), reports_power=False).update(reports_power=True)


class Migration(migrations.Migration):
    dependencies = [("powerlog", "0005_doors")]
    operations = [
        migrations.AddField(
            model_name="channel",
            name="reports_power",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="Whether the device has ever reported a power for it: else it has no meter.",
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="negative_w",
            field=models.FloatField(
                editable=False,
                help_text="The last power below zero by more than the threshold, until it first runs.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="negative_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(mark_those_with_history, migrations.RunPython.noop),
    ]
