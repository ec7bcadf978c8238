"""A project for the worked examples, in the environment of an installation.

    python -m tests.verification.example_project NAME ROLE

Prints what their scripts need, as JSON: the project's slug, and the token of its member of that role.
"""

import json
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    import django

    django.setup()
    from evalapp.accounts.tokens import create_api_token
    from tests.cast import make_project, make_user

    name, role = sys.argv[1:]
    person = make_user(f"{name} {role}")
    project = make_project(name, **{role: person})
    token = create_api_token(user=person, name="Examples", by=person)
    print(json.dumps({"project": project.slug, "token": token.secret}))


if __name__ == "__main__":
    main()
