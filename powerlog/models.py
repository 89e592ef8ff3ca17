"""The table `power_logs`: one row per device, channel and active minute."""

from django.db import models
from django.db.models.functions import Now


class PowerLog(models.Model):
    """One minute of one channel, with the values known at the reading that made the row.

    A value that the device never reported is 0 (a voltage of 0 V is "not known", not a dead line).
    """

    class Source(models.TextChoices):
        """How the row was obtained; the words of the sampler's rule 9."""

        MEASURED = "measured", "measured"
        DEVICE = "device", "the device's own record"
        CARRIED = "carried", "carried over a short gap"

    timestamp = models.DateTimeField("minute", help_text="The start of the minute.")
    device_id = models.CharField("device", max_length=100)
    channel = models.CharField(max_length=20, help_text="The component key, such as switch:2.")
    apower_w = models.FloatField("power (W)")
    voltage_v = models.FloatField("voltage (V)")
    current_a = models.FloatField("current (A)")
    energy_total_wh = models.FloatField(
        "counter (Wh)", help_text="The device's energy counter at that moment."
    )
    source = models.CharField(
        max_length=10, choices=Source, default=Source.MEASURED, db_default=Source.MEASURED
    )
    created_at = models.DateTimeField("written", db_default=Now(), editable=False)

    class Meta:
        db_table = "power_logs"
        verbose_name = "power log"
        ordering = ("-timestamp",)
        indexes = (
            models.Index(fields=["timestamp"], name="idx_power_logs_timestamp"),
            models.Index(fields=["device_id", "channel"], name="idx_power_logs_device_channel"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["device_id", "channel", "timestamp"], name="uniq_power_logs_minute"
            ),
        )

    def __str__(self) -> str:
        return f"{self.device_id} {self.channel} {self.timestamp:%Y-%m-%d %H:%M}"
