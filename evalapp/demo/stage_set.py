"""The demonstration's initial state: project, people, rubric, rule checks and data. Needs no model."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import Project, Role, User
from evalapp.accounts.services import add_member
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.decisions.services import set_up_project
from evalapp.demo.generator import DemoExample, generate_examples
from evalapp.demo.review_words import REASON_TAGS
from evalapp.demo.simulated_reviewers import REVIEWERS
from evalapp.demo.style_rules import FACT_RULE, STYLE_RULES
from evalapp.rubrics.drafts import TagDraft
from evalapp.rubrics.models import Rubric, RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from evalapp.scoring.services import save_rule_check

PROJECT_NAME = "Demonstration: investment summaries"
DATASET_NAME = "Investment summaries"
RUBRIC_NAME = "House style summaries"
DOMAIN = "demo.example"
PEOPLE = (
    ("owner", Role.OWNER),
    ("manager", Role.MANAGER),
    ("engineer", Role.ENGINEER),
    ("reviewer", Role.REVIEWER),
)


def email_of(name: str) -> str:
    return f"{name}@{DOMAIN}"


def demonstration_project() -> Project | None:
    return Project.objects.filter(is_demonstration=True, name=PROJECT_NAME).order_by("id").first()


@transaction.atomic
def set_stage() -> Project:
    """Create the demonstration project with everything that precedes the first run.

    The accounts get random passwords, which are written to EVALAPP_HOME/demo-logins.txt (mode 0600).
    """
    people = {name: _person(name) for name, _ in PEOPLE}
    project = set_up_project(
        name=PROJECT_NAME,
        description="Client profile and portfolio facts in, a personal summary out: ROUGE favours formal "
        "adviser texts, reviewers prefer house style.",
        by=people["owner"],
        is_demonstration=True,
    )
    for name, role in PEOPLE[1:]:
        add_member(project=project, user=people[name], role=role, by=None)
    for reviewer in REVIEWERS:
        add_member(project=project, user=_simulated(reviewer.key), role=Role.REVIEWER, by=None)
    _add_rubric(project, people["manager"])
    for definition in (*STYLE_RULES, FACT_RULE):
        params = {key: value for key, value in definition.items() if key not in ("kind", "name")}
        save_rule_check(
            project=project,
            name=definition["name"],
            kind=definition["kind"],
            params=params,
            by=people["manager"],
        )
    dataset = create_dataset(
        project=project,
        name=DATASET_NAME,
        description="Invented clients; the references are the formal adviser texts.",
        by=people["engineer"],
    )
    create_version(
        dataset=dataset,
        rows=_rows(generate_examples()),
        by=people["engineer"],
        note="Created by the demonstration's seeded generator",
        source="generator",
    )
    transaction.on_commit(lambda: _write_logins(people))
    return project


def _rows(examples: list[DemoExample]) -> Iterator[ExampleRow]:
    for example in examples:
        yield ExampleRow(
            split=example.split,
            messages=example.messages,
            references=[example.formal],
            context=example.context,
            metadata={**example.metadata, "key": example.key},
            group_key=example.key,
        )


def _person(name: str) -> User:
    known = {"name": f"Demonstration {name}", "email_verified_at": timezone.now()}
    user, _ = User.objects.get_or_create(email=email_of(name), defaults=known)
    return user


def _simulated(key: str) -> User:
    user, created = User.objects.get_or_create(
        email=email_of(f"simulated-{key}"),
        defaults={"name": f"Simulated {key}", "is_simulated": True, "is_active": False},
    )
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def simulated_users() -> dict[str, User]:
    """The simulated reviewers' accounts by key; nobody can sign in to them."""
    return {reviewer.key: _simulated(reviewer.key) for reviewer in REVIEWERS}


def _add_rubric(project: Project, by: User) -> RubricVersion:
    criteria = [
        replace(draft, tags=tuple(TagDraft(label) for label in REASON_TAGS[draft.name.lower()]))
        if draft.name.lower() in REASON_TAGS
        else draft
        for draft in SUMMARIES.criteria
    ]
    rubric = create_rubric(project=project, name=RUBRIC_NAME, by=by, description=SUMMARIES.description)
    return save_version(rubric=rubric, criteria=criteria, by=by, instructions=SUMMARIES.instructions)


def rubric_version(project: Project) -> RubricVersion:
    rubric = Rubric.objects.get(project=project, name=RUBRIC_NAME)
    return rubric.versions.order_by("-number")[0]


def first_data(project: Project) -> DatasetVersion:
    return DatasetVersion.objects.get(dataset__project=project, dataset__name=DATASET_NAME, number=1)


def _write_logins(people: dict[str, User]) -> None:
    lines = [
        "Log-ins of the demonstration (random passwords; change or delete them before you invite people)",
        "",
    ]
    for name, user in people.items():
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save(update_fields=["password"])
        lines.append(f"{name:9} {user.email:24} {password}")
    path = Path(settings.HOME) / "demo-logins.txt"
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    temporary.replace(path)
