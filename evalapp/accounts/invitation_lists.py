"""Several people invited at once, from a list of emails as it is copied from elsewhere."""

import re
from collections.abc import Sequence

from django.db import transaction

from evalapp.accounts.emails import checked_email
from evalapp.accounts.invitations import NewInvitation, invite, revoke_invitation
from evalapp.accounts.mailing import LinkMail, send_links
from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError

MOST_AT_ONCE = 200
_BETWEEN = re.compile(r"[,;\t]|(?<=>)\s")
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")


@transaction.atomic
def invite_all(
    *, project: Project, emails: str, role: str, by: User, is_mailed: bool = False
) -> list[NewInvitation]:
    """An invitation for each email of a list: one a line, or parted by commas or semicolons, also written as
    “Rita Reviewer <rita@example.org>”. One that is given twice is invited once.

    All or none: raises InvalidError that says for each line what is wrong with it, and NotAllowedError as
    `invite` does.
    """
    found, problems = _emails_in(emails)
    if len(found) > MOST_AT_ONCE:
        raise _refused([f"These are {len(found):,} emails; at most {MOST_AT_ONCE} are invited at once."])
    if not found and not problems:
        raise _refused(["Give at least one email."])
    made = []
    for email, line in found.items():
        try:
            with transaction.atomic():
                made.append(invite(project=project, email=email, role=role, by=by, is_mailed=is_mailed))
        except ConflictError as error:
            problems.append((line, error.message))
    if problems:
        texts = [f"Line {line}: {text}" for line, text in sorted(problems)]
        raise _refused(texts if len(emails.splitlines()) > 1 else [text for _, text in problems])
    return made


def mail_invitations(made: Sequence[NewInvitation], *, links: Sequence[str], by: User) -> list[str]:
    """Send each invitation its link; for each, why it was not sent, or "".

    What was not sent is withdrawn, as nobody else has the link. Call it after the invitations are committed.
    """
    mails = [
        LinkMail(
            email=each.invitation.email,
            subject=f"Invitation to {each.invitation.project}",
            words=(
                f"{by} invites you to “{each.invitation.project}” as"
                f" {each.invitation.get_role_display().lower()}. The link works once and for seven days."
            ),
            link=link,
        )
        for each, link in zip(made, links, strict=True)
    ]
    problems = send_links(mails)
    for each, problem in zip(made, problems, strict=True):
        if problem:
            revoke_invitation(invitation=each.invitation, by=by)
    return problems


def _emails_in(text: str) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """The list's emails with the first line of each, and what cannot be read as one, by line."""
    found: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in _BETWEEN.split(line):
            if not (word := word.strip()):
                continue
            named = _NAMED.fullmatch(word)
            try:
                found.setdefault(checked_email(named[1] if named else word), number)
            except InvalidError as error:
                problems.append((number, error.message))
    return found, problems


def _refused(texts: list[str]) -> InvalidError:
    if len(texts) > 1:
        texts = [
            "Nobody has been invited yet. Fix these lines, or take them out, and send the list again.",
            *texts,
        ]
    return InvalidError(texts[0], fields={"emails": texts})
