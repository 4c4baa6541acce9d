"""The table of permissions as docs/permissions.md shows it; printed by `python -m tests.support.permissions`."""

from chat_app.data.models import MemberRole, Visibility
from chat_app.threads.access import Verb, allowed

COLUMNS: dict[str, tuple[MemberRole | None, Visibility]] = {
    "owner": (MemberRole.OWNER, Visibility.PRIVATE),
    "member": (MemberRole.MEMBER, Visibility.PRIVATE),
    "viewer": (MemberRole.VIEWER, Visibility.PRIVATE),
    **{f"anybody, {visibility.value} thread": (None, visibility) for visibility in Visibility},
}
"""Whom the table has, by their column; a member's role alone decides, whatever the visibility."""


def table() -> str:
    """Who may do what, in Markdown."""
    heads = [["", *COLUMNS], [":--", *(":-:" for _ in COLUMNS)]]
    lines = [[verb.value, *("yes" if verb in allowed(*whom) else "–" for whom in COLUMNS.values())] for verb in Verb]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (*heads, *lines))


if __name__ == "__main__":
    print(table())
