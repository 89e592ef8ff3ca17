"""Django's admin: lists of rows, runs and day totals; devices, channels, and who may speak.

May import dashboard, joining, search, devices, database, models and the ground floor.
"""

from powerlog.admin.access import AccessAdmin as AccessAdmin
from powerlog.admin.devices import ChannelAdmin as ChannelAdmin
from powerlog.admin.devices import DeviceAdmin as DeviceAdmin
from powerlog.admin.logs import DayTotalAdmin as DayTotalAdmin
from powerlog.admin.logs import PowerLogAdmin as PowerLogAdmin
from powerlog.admin.logs import RunAdmin as RunAdmin
