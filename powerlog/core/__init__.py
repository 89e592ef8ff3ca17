"""The pure part of the collector beside protocol.py and sampler.py: what they speak of. No
Django, no clock."""
