"""Read stored backups back: is what lies at a destination still what was stored there?

A copy is good where its manifest belongs to its key, the bytes are as many and have the SHA-256 that the manifest says,
the workbook is whole within the limits of `verify`, and it holds what the manifest says. Each way in which one is not
has a code of its own. Nothing is changed at a destination, and each byte is read once.

Inside: `copies` says what there is, `faults` words what can be wrong with it, `proof` reads one copy into a file,
`scratch` is a file that is forgotten, `landing` one that stays; `checks` says what each copy came to, `drill` does so
for the service and logs it.
"""

from .checks import Checked, check, check_all, limits_of
from .copies import Copy, copies_of, newest_of
from .drill import check_newest
from .landing import Landing, landing, require_free, target_in
from .proof import Progress, Proved, prove
from .scratch import unnamed_file

__all__ = [
    "Checked",
    "Copy",
    "Landing",
    "Progress",
    "Proved",
    "check",
    "check_all",
    "check_newest",
    "copies_of",
    "landing",
    "limits_of",
    "newest_of",
    "prove",
    "require_free",
    "target_in",
    "unnamed_file",
]
