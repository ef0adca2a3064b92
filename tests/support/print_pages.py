"""Print the parts of the documentation that come from the code: `make generate` runs this."""

from __future__ import annotations

from pathlib import Path

from leanix_backup.config.reference import settings_table
from leanix_backup.events import reference
from leanix_backup.simulator.switches import Switches, describe, values

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- settings: printed from the code -->\n", "<!-- end of settings -->"

SWITCHES_BEGIN, SWITCHES_END = "<!-- switches: printed from the code -->\n", "<!-- end of switches -->"


def switches_table() -> str:
    """Write every switch of the simulator with its default and what it does."""
    defaults = Switches().as_json()
    lines = ["| switch | default | what it does |", "|---|---|---|"]
    for name, what in describe().items():
        known = f": {', '.join(f'`{value}`' for value in values(name))}" if values(name) else ""
        default = str(defaults[name]).lower() if isinstance(defaults[name], bool) else defaults[name]
        lines.append(f"| `{name}` | {default} | {what}{known} |")
    return "\n".join(lines)


def main() -> None:
    (DOCS / "log-events.md").write_text(reference())
    page = DOCS / "configuration.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{settings_table().strip()}\n\n{END}{after}")
    page = DOCS / "simulator.md"
    before, _, rest = page.read_text().partition(SWITCHES_BEGIN)
    _, _, after = rest.partition(SWITCHES_END)
    page.write_text(f"{before}{SWITCHES_BEGIN}\n{switches_table()}\n\n{SWITCHES_END}{after}")


if __name__ == "__main__":
    main()
