"""The proof that what came home is a whole workbook (every member, every CRC), and a summary of what it holds.

`verify` is all that others need. Inside: `source` reads the file, `kind` tells by its first bytes what it is,
`directory` and `layout` prove the structure of the ZIP archive, `archive` its bytes; `markup` reads XML, and on top of
it `book`, `sheet` with `cells`, and `strings` the parts of a workbook; `summary` decides what it means, `limits` how
much is too much, `faults` words what is wrong.
"""

from .limits import Limits
from .proof import verify

__all__ = ["Limits", "verify"]
