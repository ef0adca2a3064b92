from __future__ import annotations

import json
from typing import Any

import pytest

from leanix_backup.simulator.switches import SwitchError, Switches, describe, values
from tests.support.print_pages import DOCS, switches_table


def test_every_switch_says_what_it_does() -> None:
    assert describe().keys() == Switches().as_json().keys()
    assert all(len(doc) > 10 for doc in describe().values())


def test_the_page_has_every_switch() -> None:
    assert switches_table() in (DOCS / "simulator.md").read_text(), "run `make generate`"
    assert values("post_fault")[:2] == ("none", "refuse")
    assert values("row_delay_s") == ()


def test_switches_survive_json() -> None:
    switches = Switches(row_delay_s=10.0, download_fault="bit_flip", extra_rows=150)
    other = Switches()
    other.merge(json.loads(json.dumps(switches.as_json())))
    assert other == switches


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_delay": 3}, "there is no switch 'row_delay'"),
        ({"extra_rows": "3"}, "extra_rows can't be '3'"),
        ({"extra_rows": True}, "extra_rows can't be True"),
        ({"extra_rows": -1}, "extra_rows can't be -1"),
        ({"foreign_newer": 1}, "foreign_newer can't be 1"),
        ({"download_fault": "explode"}, "download_fault can't be 'explode'"),
        ({"download_fault": ["cut"]}, "download_fault can't be"),
        ({"download_fault_times": -2}, "download_fault_times can't be -2"),
        ({"fraction_digits": 10}, "fraction_digits can't be 10"),
        ({"technical_user_expiry": "soon"}, "technical_user_expiry can't be 'soon'"),
        ({"post_fault": "cut_headers"}, "post_fault can't be 'cut_headers'"),
        ({"list_fault_after": -1}, "list_fault_after can't be -1"),
        ({"key_delay_s": -1}, "key_delay_s can't be -1.0"),
        ({"second_use_status": 99}, "second_use_status can't be 99"),
    ],
)
def test_a_wrong_switch_changes_nothing(changes: dict[str, Any], message: str) -> None:
    switches = Switches()
    with pytest.raises(SwitchError, match="^" + message.replace("(", r"\(")):
        switches.merge({"role": "VIEWER", **changes})
    assert switches == Switches()


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(SwitchError) as caught:
        Switches().merge({"row_delay": 3})
    assert caught.value.hint == "did you mean 'row_delay_s'?"


def test_a_whole_number_of_seconds_is_fine() -> None:
    switches = Switches()
    switches.merge({"row_delay_s": 10})
    assert switches.row_delay_s == 10.0


def test_a_time_to_retry_after_may_lie_in_the_past() -> None:
    switches = Switches()
    switches.merge({"retry_after_s": -1})
    assert switches.retry_after_s == -1


def test_faults_count_down_unless_they_are_for_ever() -> None:
    switches = Switches(post_fault_times=2, list_fault_times=-1)
    assert [switches.take("post_fault_times") for _ in range(4)] == [True, True, False, False]
    assert all(switches.take("list_fault_times") for _ in range(4))
