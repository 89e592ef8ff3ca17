"""How many starts a run stands for; those of before stand for one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("powerlog", "0006_reported_power")]
    operations = [
        migrations.AddField(
            model_name="run",
            name="starts",
            field=models.IntegerField(
                db_default=1,
                default=1,
                help_text="More than 1 where later starts of the same minute were merged into this run.",
                verbose_name="starts",
            ),
        ),
    ]
