"""The tables: `power_logs`, a row per device, channel and active minute, and `runs`."""

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


class Run(models.Model):
    """One uninterrupted stretch of activity of a channel, open while ended_at is null."""

    class End(models.TextChoices):
        """How it ended; the words of the sampler's rule 12."""

        OPEN = "", "not ended"
        STOPPED = "stopped", "stopped"
        LOST_CONTACT = "lost contact", "lost contact"

    device_id = models.CharField("device", max_length=100)
    channel = models.CharField(max_length=20, help_text="The component key, such as switch:2.")
    started_at = models.DateTimeField("started", help_text="The first active reading.")
    ended_at = models.DateTimeField(
        "ended", null=True, blank=True, help_text="The first inactive reading, or the last contact."
    )
    energy_wh = models.FloatField(
        "energy (Wh)", help_text="By the device's counter, if it has one."
    )
    mean_w = models.FloatField("mean power (W)")
    peak_w = models.FloatField("peak power (W)")
    counter_wh = models.FloatField(
        "counter (Wh)",
        null=True,
        help_text="Up to where the device's counter, less what it returned, is accounted for.",
    )
    heard_at = models.DateTimeField(
        "last heard", null=True, help_text="The last contact with an open run, where that is over."
    )
    end = models.CharField("how it ended", max_length=12, choices=End, default=End.OPEN, blank=True)

    class Meta:
        db_table = "runs"
        ordering = ("-started_at",)
        indexes = (models.Index(fields=["started_at"], name="idx_runs_started_at"),)
        constraints = (
            models.UniqueConstraint(
                fields=["device_id", "channel", "started_at"], name="uniq_runs_start"
            ),
            models.UniqueConstraint(
                fields=["device_id", "channel"],
                condition=models.Q(ended_at__isnull=True),
                name="uniq_runs_open",
            ),
        )

    def __str__(self) -> str:
        return f"{self.device_id} {self.channel} from {self.started_at:%Y-%m-%d %H:%M:%S}"
