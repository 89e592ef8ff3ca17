"""How long a device may be quiet: rules 15 and 16.

Pure. They follow the numbered rules of sampler.py.

15. SILENCE. A healthy device reports each minute. A gap of more than SILENT_S between two frames of
    a device is a silence.
16. CONTACT. A device whose last frame is older than CONTACT_S is out of contact, also where its
    connection is still stored as open: a process that was killed cannot report the end.
"""

SILENT_S = 120.0
CONTACT_S = 180.0
