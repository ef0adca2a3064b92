"""`health` without the command-line framework: a container calls it every few seconds, and would pay for every import.

Only the forms that a container uses are read here; anything else, help and mistakes included, is left to the framework,
whose `health` does the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from leanix_backup.observe.health import OLDEST_S, look
from leanix_backup.observe.place import find_state_dir

COMMAND = "health"
_CONFIG = {"--config": "config_file", "-c": "config_file"}
_OPTIONS = {**_CONFIG, "--state-dir": "state_dir", "--max-age": "max_age"}


def quick_health(arguments: Sequence[str]) -> int | None:
    """Answer a plain `health` and return its exit status; None where the framework must read the command line."""
    said: dict[str, str] = {}
    words = list(arguments)
    seen = False
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        option = (_OPTIONS if seen else _CONFIG).get(name)
        if word == COMMAND and not seen:
            seen = True
        elif option and (equals or words) and not (equals and name == "-c"):
            said[option] = value if equals else words.pop(0)
        else:
            return None
    if not seen or not all(said.values()):
        return None
    age = said.get("max_age", f"{OLDEST_S:.0f}s")
    number = age.removesuffix("s")
    if number == age or not (number.isascii() and number.isdecimal()):
        return None
    return report(said.get("config_file"), said.get("state_dir"), float(number))


def report(config_file: str | None, state_dir: str | None, oldest_s: float) -> int:
    """Say in one line whether the service lives, and return 0 where it does, else 1."""
    try:
        healthy, message = look(state_dir or find_state_dir(config_file, os.environ), oldest_s=oldest_s)
    except (OSError, ValueError) as error:
        where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
        reason = error.strerror if isinstance(error, OSError) else error
        healthy, message = False, f"the configuration{where} can't be read ({reason}); --state-dir would do"
    said = "".join(character if character.isprintable() else "?" for character in message)
    try:
        sys.stdout.write(f"{'healthy' if healthy else 'unhealthy'}: {said}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens: the status says it
    return 0 if healthy else 1
