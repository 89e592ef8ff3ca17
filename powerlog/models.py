"""The tables: `power_logs`, a row per device, channel and active minute; `runs`, `day_totals`.

Beside them what names them: `devices` and their `channels`, as they are and as staff want them.
Rows, runs and totals bear the ids of devices and channels, not keys of these tables: history stays
whatever becomes of a device.
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PowerLog(models.Model):
    """One minute of one channel, with the values known at the reading that made the row.

    A value that the device never reported is 0 (a voltage of 0 V is "not known", not a dead line).
    """

    class Source(models.TextChoices):
        """How the row was obtained; the words of the sampler's rule 9."""

        MEASURED = "measured", _("measured")
        DEVICE = "device", _("the device's own record")
        CARRIED = "carried", _("carried over a short gap")

    timestamp = models.DateTimeField(_("minute"), help_text=_("The start of the minute."))
    device_id = models.CharField(_("device"), max_length=100)
    channel = models.CharField(
        _("channel"), max_length=20, help_text=_("The component key, such as switch:2.")
    )
    apower_w = models.FloatField(_("power (W)"))
    voltage_v = models.FloatField(_("voltage (V)"))
    current_a = models.FloatField(_("current (A)"))
    energy_total_wh = models.FloatField(
        _("counter (Wh)"), help_text=_("The device's energy counter at that moment.")
    )
    source = models.CharField(
        _("source"),
        max_length=10,
        choices=Source,
        default=Source.MEASURED,
        db_default=Source.MEASURED,
    )
    created_at = models.DateTimeField(_("written"), db_default=Now(), editable=False)

    class Meta:
        db_table = "power_logs"
        verbose_name = _("power log")
        verbose_name_plural = _("power logs")
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

        OPEN = "", _("not ended")
        STOPPED = "stopped", _("stopped")
        LOST_CONTACT = "lost contact", _("lost contact")

    device_id = models.CharField(_("device"), max_length=100)
    channel = models.CharField(
        _("channel"), max_length=20, help_text=_("The component key, such as switch:2.")
    )
    started_at = models.DateTimeField(_("started"), help_text=_("The first active reading."))
    ended_at = models.DateTimeField(
        _("ended"),
        null=True,
        blank=True,
        help_text=_("The first inactive reading, or the last contact."),
    )
    energy_wh = models.FloatField(
        _("energy (Wh)"), help_text=_("By the device's counter, if it has one.")
    )
    mean_w = models.FloatField(_("mean power (W)"))
    peak_w = models.FloatField(_("peak power (W)"))
    counter_wh = models.FloatField(
        _("counter (Wh)"),
        null=True,
        help_text=_("Up to where the device's counter, less what it returned, is accounted for."),
    )
    heard_at = models.DateTimeField(
        _("last heard"),
        null=True,
        help_text=_("The last contact with an open run, where that is over."),
    )
    end = models.CharField(
        _("how it ended"), max_length=12, choices=End, default=End.OPEN, blank=True
    )
    midnights = models.JSONField(
        _("midnights"),
        default=list,
        blank=True,
        help_text=_("[Unix time, Wh] of each local midnight passed: its energy until then."),
    )
    starts = models.IntegerField(
        _("starts"),
        default=1,
        db_default=1,
        help_text=_("More than 1 where later starts of the same minute were merged into this run."),
    )

    class Meta:
        db_table = "runs"
        verbose_name = _("run")
        verbose_name_plural = _("runs")
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
        started = f"{self.started_at:%Y-%m-%d %H:%M:%S}"
        return f"{self.device_id} {self.channel} " + _("from %(time)s") % {"time": started}


class DayTotal(models.Model):
    """What a channel did on a local day (of TIME_ZONE); kept for ever, made in day_totals.py.

    A run counts on the day on which it starts, a merged one with all its starts; its time and
    energy count on each of its days. What an open run has used since the last midnight is not in
    here yet.
    """

    device_id = models.CharField(_("device"), max_length=100)
    channel = models.CharField(
        _("channel"), max_length=20, help_text=_("The component key, such as switch:2.")
    )
    day = models.DateField(_("day"))
    active_minutes = models.IntegerField(_("active minutes"), default=0)
    filled_minutes = models.IntegerField(
        _("filled minutes"),
        default=0,
        help_text=_("Those of them that no message told as they passed: device and carried."),
    )
    runs = models.IntegerField(_("runs"), default=0)
    run_s = models.FloatField(_("run time (s)"), default=0.0)
    energy_wh = models.FloatField(_("energy (Wh)"), default=0.0)
    peak_w = models.FloatField(_("peak power (W)"), default=0.0)

    class Meta:
        db_table = "day_totals"
        verbose_name = _("day total")
        verbose_name_plural = _("day totals")
        ordering = ("-day", "device_id", "channel")
        indexes = (models.Index(fields=["day"], name="idx_day_totals_day"),)
        constraints = (
            models.UniqueConstraint(fields=["device_id", "channel", "day"], name="uniq_day_totals"),
        )

    def __str__(self) -> str:
        return f"{self.device_id} {self.channel} {self.day}"

    @property
    def mean_w(self) -> float | None:
        """Mean power while active; None where nothing ran."""
        return self.energy_wh * 3600 / self.run_s if self.run_s else None


class Device(models.Model):
    """A Shelly that has been here: what it says of itself, what staff call it, and if it may."""

    class Admission(models.TextChoices):
        """What staff have decided; with ADMISSION=open a device is accepted by itself."""

        ACCEPTED = "accepted", _("accepted")
        WAITING = "waiting", _("waits")
        BLOCKED = "blocked", _("blocked")

    device_id = models.CharField(_("id"), max_length=100, unique=True, editable=False)
    name = models.CharField(
        _("own name"), max_length=100, blank=True, help_text=_("Instead of its name in the Shelly.")
    )
    reported_name = models.CharField(
        _("name in the Shelly"), max_length=100, blank=True, editable=False
    )
    model = models.CharField(_("model"), max_length=60, blank=True, editable=False)
    firmware = models.CharField(_("firmware"), max_length=60, blank=True, editable=False)
    address = models.CharField(_("address"), max_length=45, blank=True, editable=False)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now, editable=False)
    connected = models.BooleanField(
        _("connected"),
        default=False,
        editable=False,
        help_text=_("By the word of the process that heard it last."),
    )
    admission = models.CharField(
        _("admission"),
        max_length=10,
        choices=Admission,
        default=Admission.ACCEPTED,
        db_default=Admission.ACCEPTED,
        editable=False,
    )
    token_hash = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    says = models.CharField(
        _("says"),
        max_length=200,
        blank=True,
        db_default="",
        editable=False,
        help_text=_("What it said while it waited."),
    )

    class Meta:
        db_table = "devices"
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ("device_id",)

    def __str__(self) -> str:
        return self.name or self.reported_name or self.device_id


class Access(Device):
    """The same devices, where staff decide whether they may speak."""

    class Meta:
        proxy = True
        verbose_name = _("device's access")
        verbose_name_plural = _("access of devices")
        ordering = ("-admission", "device_id")  # who waits comes first
        default_permissions = ("change", "view")


class Channel(models.Model):
    """A channel of a device that meters, and what staff want of it. None: as everywhere else."""

    device = models.ForeignKey(
        Device,
        models.CASCADE,
        verbose_name=_("device"),
        to_field="device_id",
        related_name="channels",
        editable=False,
        db_index=False,  # the unique key has it first
    )
    channel = models.CharField(
        _("channel"), max_length=20, editable=False, help_text=_("The component key.")
    )
    name = models.CharField(
        _("own name"), max_length=100, blank=True, help_text=_("Instead of its name in the Shelly.")
    )
    reported_name = models.CharField(
        _("name in the Shelly"), max_length=100, blank=True, editable=False
    )
    reports_power = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Whether the device has ever reported a power for it: else it has no meter."),
    )
    negative_w = models.FloatField(
        null=True,
        editable=False,
        help_text=_("The last power below zero by more than the threshold, until it first runs."),
    )
    negative_at = models.DateTimeField(null=True, editable=False)
    logged = models.BooleanField(
        _("logged"), default=True, help_text=_("Off: it makes no rows and no runs.")
    )
    power_threshold_w = models.FloatField(
        _("threshold (W)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0)],
        help_text=_("Active above this power. Empty: the setting POWER_THRESHOLD_W."),
    )
    nominal_power_w = models.FloatField(
        _("nominal power (W)"), null=True, blank=True, validators=[MinValueValidator(0.0)]
    )
    flow_m3h = models.FloatField(
        _("flow (m³/h)"), null=True, blank=True, validators=[MinValueValidator(0.0)]
    )
    price_kwh = models.DecimalField(
        _("price per kWh"),
        max_digits=9,
        decimal_places=5,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )

    class Meta:
        db_table = "channels"
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("device", "channel")
        constraints = (models.UniqueConstraint(fields=["device", "channel"], name="uniq_channels"),)

    def __str__(self) -> str:
        return self.name or self.reported_name or self.channel


class Silence(models.Model):
    """A stretch of time, ended by now, in which nothing was heard of a device: no data."""

    device_id = models.CharField(_("device"), max_length=100)
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        db_table = "silences"
        constraints = (
            models.UniqueConstraint(fields=["device_id", "since"], name="uniq_silences"),
        )
        indexes = (models.Index(fields=["device_id", "until"], name="idx_silences_until"),)

    def __str__(self) -> str:
        return f"{self.device_id} {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"
