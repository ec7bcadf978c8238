"""Whatever works once works once, however many ask at the same moment, and its secret is in no log."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from evalapp.accounts.emergency import emergency_path
from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Membership, OneTimeLink, User
from evalapp.accounts.people import create_reset_link
from evalapp.accounts.secrets import new_secret
from evalapp.audit.models import AuditEvent
from evalapp.embedded.log_lines import without_secrets
from tests.at_once import at_once
from tests.cast import client_of, make_project, make_user

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 16


def site_admin() -> User:
    return make_user("admin", is_superuser=True)


def test_of_simultaneous_uses_of_an_emergency_link_one_signs_in() -> None:
    path = emergency_path(site_admin())
    browsers = [Client() for _ in range(AT_ONCE)]

    answers = at_once(AT_ONCE, lambda number: browsers[number].post(path).status_code)

    # Whoever comes late enough finds the link used (404) before trying (409).
    assert set(answers) <= {302, 404, 409}
    assert answers.count(302) == 1
    assert sum("_auth_user_id" in browser.session for browser in browsers) == 1
    assert AuditEvent.objects.filter(action="person.emergency_sign_in").count() == 1


def test_of_simultaneous_uses_of_a_password_link_one_sets_the_password() -> None:
    owner, person = make_user("owner"), make_user("reviewer")
    project = make_project("Claims", owner=owner, reviewer=person)
    path = create_reset_link(
        membership=project.memberships.select_related("user", "project").get(user=person),
        by=project.memberships.select_related("user").get(user=owner),
    )
    browsers = [Client() for _ in range(AT_ONCE)]
    forms = [browser.get(path, follow=True).redirect_chain[-1][0] for browser in browsers]
    passwords = [f"a quiet harbour {number}x" for number in range(AT_ONCE)]

    def work(number: int) -> bool:
        data = {"password1": passwords[number], "password2": passwords[number]}
        answer = browsers[number].post(forms[number], data)
        # A link that is known to be used is a page without a form; one that was used meanwhile a refusal; and
        # who waits a second for their turn is asked to try again.
        assert answer.status_code in (200, 302, 409, 429)
        return bool(answer.status_code == 302)

    answers = at_once(AT_ONCE, work)

    assert answers.count(True) == 1, answers
    assert answers.count(False) == AT_ONCE - 1, answers
    person.refresh_from_db()
    assert person.check_password(passwords[answers.index(True)])
    assert OneTimeLink.objects.exclude(used_at=None).count() == 1


def test_of_simultaneous_uses_of_an_invitation_by_its_person_one_joins() -> None:
    owner, person = make_user("owner"), make_user("newcomer")
    project = make_project("Claims", owner=owner)
    token = invite(project=project, email=person.email, role="reviewer", by=owner).token
    browsers = [client_of(person) for _ in range(AT_ONCE)]

    answers = at_once(AT_ONCE, lambda number: browsers[number].post(f"/invitations/{token}/").status_code)

    assert set(answers) <= {302, 404, 409}
    assert answers.count(302) == 1
    assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1


def test_of_two_invitations_used_at_once_one_joins_and_the_other_is_void() -> None:
    owner, person = make_user("owner"), make_user("newcomer")
    project = make_project("Claims", owner=owner)
    tokens = [
        invite(project=project, email=person.email, role=role, by=owner).token
        for role in ("reviewer", "engineer")
    ]
    browsers = [client_of(person) for _ in tokens]

    answers = at_once(2, lambda number: browsers[number].post(f"/invitations/{tokens[number]}/").status_code)

    assert sorted(answers) in ([302, 404], [302, 409])
    assert Membership.objects.filter(user=person).count() == 1
    assert not project.invitations.filter(accepted_at=None, revoked_at=None).exists()


def test_an_emergency_link_is_void_once_its_person_is_no_site_admin() -> None:
    admin = site_admin()
    path = emergency_path(admin)
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert Client().post(path).status_code == 404


def test_only_the_hash_of_a_link_is_stored() -> None:
    path = emergency_path(site_admin())
    assert OneTimeLink.objects.get().token_hash not in path
    assert path.split("/")[-2] not in str(list(OneTimeLink.objects.values()))


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the product's own handler writes."""
    root = logging.getLogger()
    ours = next(handler for handler in root.handlers if handler.get_name() == "stderr")
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ours.formatter)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def routes_of_links(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every route whose path holds the secret of a link."""
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from routes_of_links(each)
        elif getattr(each.callback, "required_permission", None) == "link" or (
            {"token", "uidb36"} & set(each.pattern.regex.groupindex)
        ):
            yield each


def path_of(route: URLPattern, secret: str) -> str:
    names = set(route.pattern.regex.groupindex)
    return reverse(route.name, kwargs={name: secret if name in ("token", "key") else "1a" for name in names})


def test_no_secret_of_any_route_stands_in_a_log(log: StringIO) -> None:
    routes = {route.name: route for route in routes_of_links()}
    assert {"emergency_sign_in", "invitation_accept", "account_reset_password_from_key"} <= set(routes)
    for name, route in routes.items():
        secret = new_secret()
        path = path_of(route, secret)
        Client().get(path)
        Client(enforce_csrf_checks=True).post(path)
        logging.getLogger("evalapp").warning("next=%s", path.replace("/", "%2F"))
        assert secret not in log.getvalue(), name
        assert secret not in without_secrets(f'127.0.0.1 "GET {path}" 200'), name
    assert "***" in log.getvalue()


def test_the_secret_of_an_emergency_link_that_is_used_stands_in_no_log(log: StringIO) -> None:
    path = emergency_path(site_admin())
    browser = Client()
    browser.get(path)
    browser.post(path)
    assert browser.post(path).status_code == 404
    assert "emergency" in log.getvalue()
    assert path.split("/")[-2] not in log.getvalue()
