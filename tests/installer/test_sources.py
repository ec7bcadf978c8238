from installer.sources import parse_pip_settings, sources_from

LISTED = """:env:.find-links='/env/wheels /more/wheels'
:env:.disable-pip-version-check='1'
global.cert='/etc/ssl/cert.pem'
global.constraint='/etc/constraints.txt'
global.find-links='/global/wheels'
install.find-links='/install/wheels'
freeze.all='true'
"""


def test_the_environment_wins_over_the_commands_section_and_that_over_the_global_one():
    assert parse_pip_settings(LISTED)["find-links"] == "/env/wheels /more/wheels"
    without_environment = "\n".join(line for line in LISTED.splitlines() if not line.startswith(":env:"))
    assert parse_pip_settings(without_environment)["find-links"] == "/install/wheels"


def test_pips_settings_become_uvs_variables():
    sources = sources_from(parse_pip_settings(LISTED), {})
    assert sources.variables == {
        "UV_FIND_LINKS": "/env/wheels,/more/wheels",
        "UV_CONSTRAINT": "/etc/constraints.txt",
        "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    }
    assert sources.configured


def test_what_is_said_to_uv_itself_stays():
    sources = sources_from(parse_pip_settings(LISTED), {"UV_FIND_LINKS": "/mine"})
    assert "UV_FIND_LINKS" not in sources.variables
    assert sources.configured


def test_a_plain_machine_has_no_places_of_its_own():
    sources = sources_from(parse_pip_settings(""), {})
    assert sources.variables == {}
    assert not sources.configured
