"""Changes of the flow, made to a copy of the DAG files."""

from __future__ import annotations

from pathlib import Path

# Flow 2: a second meeting is new, the first is held no more, and the decision is taken under another name.
FLOW_2 = (
    ('gate="first_meeting", task_display_name=', 'gate="first_meeting", until=1, task_display_name='),
    ("        receive >> [meet, complete_intake]",
     """        meet_again = SignOff(
            task_id="meet_again", gate="first_meeting", number=2, since=2, task_display_name="Gặp mặt lần hai"
        )
        receive >> [meet, meet_again, complete_intake]"""),
    ("[meet, complete_intake] >> requests[0]", "[meet, meet_again, complete_intake] >> requests[0]"),
    ('task_id="decide", gate="decision",', 'task_id="decide", gate="decision", until=1, passed_as="accept",'),
    ("        quotes = [",
     """        decide_together = SignOff(
            task_id="decide_together", gate="decision", since=2, passed_as="accept",
            task_display_name="Họp quyết định",
        )
        quotes = ["""),
    ('decide.when("accept", "nhận thực hiện", quotes[0])\n    decide.when("decline", "không nhận", decline)',
     """decide.when("accept", "nhận thực hiện", decide_together)
    decide.when("decline", "không nhận", decline)
    decide_together.when("accept", "nhận thực hiện", quotes[0])
    decide_together.when("decline", "không nhận", decline)"""),
    ('action="contract:decline", task_display_name=',
     'action="contract:decline", trigger_rule=ANY_BRANCH, task_display_name='),
)  # fmt: skip


def change(dags: Path, *changes: tuple[str, str], file: str = "engagement.py") -> None:
    """Change a file in ``dags``: each text stands there once and is replaced."""
    path = dags / file
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
