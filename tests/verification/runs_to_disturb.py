"""Fill an installation with a project whose runs a test can disturb.

    python -m tests.verification.runs_to_disturb BASE_FOLDER

Prints what the test needs, as JSON. Runs in the environment of that installation.
"""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import NamedTuple


class Prepared(NamedTuple):
    """``token`` is an engineer's; ids are those of the API."""

    project: str
    token: str
    dataset_version: int
    base: int


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    import django

    django.setup()
    print(json.dumps(prepare(Path(sys.argv[1]))._asdict()))


def prepare(folder: Path) -> Prepared:
    from evalapp.accounts.models import Membership, Role
    from evalapp.accounts.services import create_project
    from evalapp.accounts.tokens import create_api_token
    from evalapp.datasets.services import create_dataset, create_version
    from evalapp.registry.services import register_base
    from tests.cast import make_user
    from tests.runs.conftest import rows_of

    own = secrets.token_hex(4)
    owner, engineer = make_user(f"Owner {own}"), make_user(f"Engineer {own}")
    project = create_project(name="Disturbed", by=owner)
    Membership.objects.create(project=project, user=engineer, role=Role.ENGINEER)
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    rows = [*rows_of("train", 60), *rows_of("test", 120)]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    base = register_base(project=project, name="Base", folder=folder, by=engineer)
    token = create_api_token(user=engineer, name="Runs", by=engineer)
    return Prepared(project.slug, token.secret, version.pk, base.pk)


if __name__ == "__main__":
    main()
