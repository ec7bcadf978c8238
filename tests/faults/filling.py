"""Fill an installation for a fault test: people, an open campaign, a key for a machine.

    python -m tests.faults.filling REVIEWERS ITEMS OVERLAP

Prints what its clients need, as JSON. Runs in the environment of that installation.
"""

import json
import os
import secrets
import sys
from typing import NamedTuple

CANDIDATES = 2


class Filled(NamedTuple):
    """``people`` maps a reviewer's address to their password; ``token`` is an engineer's."""

    campaign: str
    project: str
    people: dict[str, str]
    token: str
    reviews_expected: int


def main() -> None:
    reviewers, items, overlap = (int(word) for word in sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    import django

    django.setup()
    print(json.dumps(fill(reviewers, items, overlap)._asdict()))


def fill(reviewers: int, items: int, overlap: int) -> Filled:
    from evalapp.accounts.models import Membership, Role
    from evalapp.accounts.tokens import create_api_token
    from tests.campaigns.making import make_open_campaign, make_team
    from tests.cast import make_user

    project, people = make_team(reviewers, "Storm")
    passwords = {}
    for person in people:
        passwords[person.email] = secrets.token_urlsafe(12)
        person.set_password(passwords[person.email])
        person.save()
    engineer = make_user("Storm engineer")
    Membership.objects.create(project=project, user=engineer, role=Role.ENGINEER)
    campaign = make_open_campaign(project, people, rows=items, candidates=CANDIDATES, overlap=overlap)
    token = create_api_token(user=engineer, name="Imports", by=engineer)
    return Filled(str(campaign.key), project.slug, passwords, token.secret, campaign.reviews_total)


if __name__ == "__main__":
    main()
