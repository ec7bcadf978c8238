"""Fails a build unless a release gate's verdict is “release”.

    @pytest.mark.evalapp_gate(12)
    def test_the_model_may_be_released() -> None: ...

Set the token in the environment variable EVALAPP_TOKEN, the address and the project in EVALAPP_URL and
EVALAPP_PROJECT or in the ini options ``evalapp_url`` and ``evalapp_project``.
"""

import os
from collections.abc import Callable

import pytest

from evalapp_client.client import Client
from evalapp_client.errors import EvalappError
from evalapp_client.gates import Verdict

MARK = "evalapp_gate"
_CLIENT = pytest.StashKey[Client]()
Require = Callable[..., Verdict]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("evalapp_url", "Address of the evalapp installation; EVALAPP_URL takes precedence.")
    parser.addini("evalapp_project", "Project, as in its URL; EVALAPP_PROJECT takes precedence.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        (
            f'{MARK}(campaign, candidate="", evaluate=True): the test fails unless the release gate of '
            "the evalapp campaign says “release”; evaluate=False reads the last evaluation."
        ),
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    client = config.stash.get(_CLIENT, None)
    if client is not None:
        client.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers(MARK):
        require_release(_client_of(item.config), *mark.args, **mark.kwargs)


@pytest.fixture(scope="session")
def evalapp_client(pytestconfig: pytest.Config) -> Client:
    """A client of the project in the settings."""
    return _client_of(pytestconfig)


@pytest.fixture
def evalapp_gate(evalapp_client: Client) -> Require:
    """A function ``evalapp_gate(campaign, candidate="", evaluate=True)`` that fails the test unless the
    verdict is “release”, and returns it.
    """

    def require(campaign: int, candidate: str = "", *, evaluate: bool = True) -> Verdict:
        return require_release(evalapp_client, campaign, candidate, evaluate=evaluate)

    return require


def require_release(client: Client, campaign: int, candidate: str = "", *, evaluate: bool = True) -> Verdict:
    """Fails the running test with the gate's reasons unless it says “release”."""
    __tracebackhide__ = True
    try:
        verdict = client.gate(campaign, candidate, evaluate=evaluate)
    except EvalappError as error:
        pytest.fail(
            f"The verdict of campaign {campaign}'s release gate could not be read: {error}", pytrace=False
        )
    if not verdict.is_release:
        pytest.fail(f"The release gate says no.\n{verdict.explanation}", pytrace=False)
    return verdict


def _client_of(config: pytest.Config) -> Client:
    client = config.stash.get(_CLIENT, None)
    if client is None:
        url = os.environ.get("EVALAPP_URL") or config.getini("evalapp_url")
        project = os.environ.get("EVALAPP_PROJECT") or config.getini("evalapp_project")
        token = os.environ.get("EVALAPP_TOKEN", "")
        missing = [
            name
            for name, value in (("EVALAPP_URL", url), ("EVALAPP_PROJECT", project), ("EVALAPP_TOKEN", token))
            if not value
        ]
        if missing:
            pytest.fail(f"Set {', '.join(missing)} to read the release gate.", pytrace=False)
        client = config.stash[_CLIENT] = Client(url, token, project)
    return client
