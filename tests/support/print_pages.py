"""Print the parts of the documentation that come from the code: `make generate` runs this."""

from __future__ import annotations

from pathlib import Path

from leanix_backup.config.reference import settings_table
from leanix_backup.events import reference

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- settings: printed from the code -->\n", "<!-- end of settings -->"


def main() -> None:
    (DOCS / "log-events.md").write_text(reference())
    page = DOCS / "configuration.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{settings_table().strip()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
