"""What staff see in Django's admin: lists of what was logged, the devices, and which may speak."""

from powerlog.admin import terms as terms
from powerlog.admin.access import AccessAdmin as AccessAdmin
from powerlog.admin.devices import ChannelAdmin as ChannelAdmin
from powerlog.admin.devices import DeviceAdmin as DeviceAdmin
from powerlog.admin.logs import DayTotalAdmin as DayTotalAdmin
from powerlog.admin.logs import PowerLogAdmin as PowerLogAdmin
from powerlog.admin.logs import RunAdmin as RunAdmin
