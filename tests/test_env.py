import stat
from pathlib import Path

import pytest

from evalapp.env import (
    REPOSITORY,
    Bind,
    EnvironmentProblem,
    database_settings,
    read_environment,
    socket_folder_for,
)


def test_without_variables_everything_lives_in_one_folder():
    environment = read_environment({})
    assert environment.home == REPOSITORY / "var"
    assert environment.bind == Bind("127.0.0.1", 8000)
    assert environment.embedded_postgres
    assert environment.embedded_valkey
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert not environment.debug


def test_addresses_of_the_embedded_servers_hold_no_password():
    environment = read_environment({"EVALAPP_HOME": "/srv/evalapp"})
    assert environment.database_url == (
        "postgresql://evalapp@/evalapp?host=%2Fsrv%2Fevalapp%2Frun&passfile=%2Fsrv%2Fevalapp%2Fpostgres%2Fpgpass"
    )
    assert environment.redis_url == "unix:///srv/evalapp/run/valkey.sock?db=0"
    assert environment.celery_broker_url == "redis+socket:///srv/evalapp/run/valkey.sock?virtual_host=0"


def test_addresses_of_yours_are_used_as_they_are():
    environment = read_environment(
        {
            "DATABASE_URL": "postgresql://me:pass@db:5433/mine?sslmode=require",
            "REDIS_URL": "redis://cache:6379/1",
        }
    )
    assert not environment.embedded_postgres
    assert not environment.embedded_valkey
    assert environment.celery_broker_url == "redis://cache:6379/1"
    settings = environment.django_database()
    assert (settings["NAME"], settings["USER"], settings["PASSWORD"]) == ("mine", "me", "pass")
    assert (settings["HOST"], settings["PORT"]) == ("db", "5433")
    assert settings["OPTIONS"]["sslmode"] == "require"


def test_escaped_characters_of_a_password_are_read_back():
    assert database_settings("postgresql://u:p%40ss%2Fword@h/d")["PASSWORD"] == "p@ss/word"


def test_a_home_with_a_long_path_gets_a_short_socket_folder_that_is_always_the_same():
    home = Path("/srv") / ("long" * 30)
    folder = socket_folder_for(home)
    assert folder == socket_folder_for(home)
    assert folder != socket_folder_for(home / "other")
    assert len(str(folder / ".s.PGSQL.5432")) < 100


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "mysql://u:secret@h/d", "DATABASE_URL: write postgresql://"),
        ("DATABASE_URL", "postgresql://u:secret@h", "DATABASE_URL: the URL names no database"),
        ("DATABASE_URL", "postgresql://u:secret@h:99999/d", "DATABASE_URL: the port"),
        ("REDIS_URL", "amqp://u:secret@h", "REDIS_URL: write redis://"),
        ("EVALAPP_BIND", "8000", "EVALAPP_BIND='8000': write host:port"),
        ("EVALAPP_BIND", "127.0.0.1:0", "EVALAPP_BIND='127.0.0.1:0': write host:port"),
        ("EVALAPP_BIND", "0.0.0.0:8000", "EVALAPP_ALLOWED_HOSTS must name"),
        ("EVALAPP_DEBUG", "maybe", "EVALAPP_DEBUG='maybe': write 1 or 0"),
        ("EVALAPP_TRUSTED_PROXY", "proxy", "EVALAPP_TRUSTED_PROXY='proxy'"),
        ("EVALAPP_MODEL_PYTHON", "/no/such/python", "EVALAPP_MODEL_PYTHON='/no/such/python'"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_without_its_password(name: str, value: str, message: str):
    with pytest.raises(EnvironmentProblem) as refused:
        read_environment({name: value})
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_secret_key_is_made_once_and_for_its_owner_alone(tmp_path: Path):
    environment = read_environment({"EVALAPP_HOME": str(tmp_path / "new")})
    key = environment.secret_key()
    assert len(key) >= 64
    assert environment.secret_key() == key
    assert stat.S_IMODE(environment.secret_key_file.stat().st_mode) == 0o600
    assert [path.name for path in environment.home.iterdir()] == ["secret-key"]


@pytest.mark.parametrize(
    ("text", "mode", "message"), [("short", 0o600, "shorter"), ("k" * 64, 0o644, "chmod 600")]
)
def test_a_weak_or_open_secret_key_is_refused(tmp_path: Path, text: str, mode: int, message: str):
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(EnvironmentProblem, match=message):
        read_environment({"EVALAPP_SECRET_KEY_FILE": str(file)}).secret_key()


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "client-secret"
    file.write_text("hidden\n")
    file.chmod(0o600)
    return file


def test_single_sign_on_is_read_whole(secret_file):
    environment = read_environment(
        {
            "EVALAPP_OIDC_ISSUER": "https://id.example/",
            "EVALAPP_OIDC_CLIENT_ID": "evalapp",
            "EVALAPP_OIDC_CLIENT_SECRET_FILE": str(secret_file),
            "EVALAPP_OIDC_SIGNUP_DOMAINS": "Example.org, @other.example",
            "EVALAPP_PASSWORDS": "off",
        }
    )
    sign_on = environment.sign_on
    assert (sign_on.issuer, sign_on.name, sign_on.client_secret) == (
        "https://id.example",
        "id.example",
        "hidden",
    )
    assert sign_on.signup_domains == ("example.org", "other.example")
    assert not environment.passwords
    assert "hidden" not in repr(environment)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"EVALAPP_OIDC_ISSUER": "http://id.example"}, "EVALAPP_OIDC_ISSUER"),
        ({"EVALAPP_OIDC_ISSUER": "id.example"}, "EVALAPP_OIDC_ISSUER"),
        ({"EVALAPP_OIDC_CLIENT_ID": ""}, "needs EVALAPP_OIDC_CLIENT_ID"),
        ({"EVALAPP_OIDC_CLIENT_SECRET_FILE": "/nowhere"}, "EVALAPP_OIDC_CLIENT_SECRET_FILE"),
        ({"EVALAPP_OIDC_SIGNUP_DOMAINS": "*.example"}, "EVALAPP_OIDC_SIGNUP_DOMAINS"),
        ({"EVALAPP_OIDC_ISSUER": "", "EVALAPP_PASSWORDS": "off"}, "nobody could sign in"),
        ({"EVALAPP_PASSWORDS": "maybe"}, "EVALAPP_PASSWORDS"),
        ({"EVALAPP_OUTGOING_ALLOWED": "0.0.0.0/0"}, "EVALAPP_OUTGOING_ALLOWED"),
        ({"EVALAPP_OUTGOING_ALLOWED": "https://x.example"}, "EVALAPP_OUTGOING_ALLOWED"),
    ],
)
def test_a_sign_on_that_could_not_work_is_refused_at_start_by_name(change, said, secret_file):
    variables = {
        "EVALAPP_OIDC_ISSUER": "https://id.example",
        "EVALAPP_OIDC_CLIENT_ID": "evalapp",
        "EVALAPP_OIDC_CLIENT_SECRET_FILE": str(secret_file),
        **change,
    }
    with pytest.raises(EnvironmentProblem, match=said):
        read_environment(variables)


def test_the_hubs_token_comes_under_two_names_and_is_never_shown():
    assert read_environment({}).hub_url == "https://huggingface.co"
    own = read_environment(
        {"EVALAPP_HF_TOKEN": "hf_ours", "HF_TOKEN": "hf_theirs", "EVALAPP_HUB": "https://hub.example/"}
    )
    assert (own.hub_token, own.hub_url) == ("hf_ours", "https://hub.example")
    assert read_environment({"HF_TOKEN": "hf_theirs"}).hub_token == "hf_theirs"
    assert "hf_ours" not in repr(own)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"EVALAPP_HUB": "ftp://hub.example"}, "EVALAPP_HUB"),
        ({"EVALAPP_HUB": "https://me:secret@hub.example"}, "EVALAPP_HUB"),
        ({"EVALAPP_HF_TOKEN": "hf_ours and more"}, "EVALAPP_HF_TOKEN"),
    ],
)
def test_a_hub_that_could_not_be_asked_is_refused_at_start_without_the_token(variables, said):
    with pytest.raises(EnvironmentProblem, match=said) as caught:
        read_environment(variables)
    assert "hf_ours" not in str(caught.value)


def test_a_client_secret_that_everybody_can_read_is_refused(secret_file):
    secret_file.chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        read_environment(
            {
                "EVALAPP_OIDC_ISSUER": "https://id.example",
                "EVALAPP_OIDC_CLIENT_ID": "evalapp",
                "EVALAPP_OIDC_CLIENT_SECRET_FILE": str(secret_file),
            }
        )


def test_by_default_nothing_goes_out_and_passwords_are_on():
    environment = read_environment({})
    assert (environment.outgoing_allowed, environment.sign_on, environment.passwords) == ((), None, True)


def test_a_mail_server_is_read_whole_and_its_password_stays_unsaid():
    environment = read_environment(
        {
            "EVALAPP_EMAIL_URL": "smtp://bot:p%40ss@mail.example",
            "EVALAPP_EMAIL_FROM": "evalapp@example.org",
        }
    )
    mail = environment.mail
    assert (mail.host, mail.port, mail.user, mail.password) == ("mail.example", 587, "bot", "p@ss")
    assert (mail.starts_tls, mail.is_tls, mail.sender) == (True, False, "evalapp@example.org")
    assert "p@ss" not in repr(environment)
    assert read_environment({}).mail is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"EVALAPP_EMAIL_URL": "smtp://mail.example"}, "needs EVALAPP_EMAIL_FROM"),
        ({"EVALAPP_EMAIL_URL": "https://secret@mail.example"}, "EVALAPP_EMAIL_URL: write smtp"),
        ({"EVALAPP_EMAIL_URL": "smtp://mail.example:99999"}, "EVALAPP_EMAIL_URL: the port"),
        ({"EVALAPP_EMAIL_FROM": "nobody"}, "EVALAPP_EMAIL_FROM"),
    ],
)
def test_a_mail_server_that_could_not_work_is_refused_at_start_by_name(variables, said):
    with pytest.raises(EnvironmentProblem, match=said) as caught:
        read_environment(variables)
    assert "secret" not in str(caught.value)


def test_one_machine_alone_has_neither_store_nor_cluster():
    machines = read_environment({}).machines
    assert (machines.store, machines.ray) == ("", None)


def test_a_store_and_a_cluster_are_read_and_bad_addresses_name_their_variable():
    machines = read_environment(
        {
            "EVALAPP_ARTIFACTS": "s3://evalapp/production/",
            "EVALAPP_EXECUTOR": "ray",
            "RAY_ADDRESS": "http://ray-head:8265/",
            "EVALAPP_RAY_GPUS": "0.5",
        }
    ).machines
    assert machines.store == "s3://evalapp/production"
    assert machines.ray is not None
    assert (machines.ray.url, machines.ray.gpus, machines.ray.python) == (
        "http://ray-head:8265", 0.5, "python",
    )  # fmt: skip
    for variables, told in (
        ({"EVALAPP_ARTIFACTS": "s3://key:secret@bucket"}, "EVALAPP_ARTIFACTS"),
        ({"EVALAPP_EXECUTOR": "slurm"}, "EVALAPP_EXECUTOR"),
        ({"EVALAPP_EXECUTOR": "ray"}, "EVALAPP_EXECUTOR=ray needs RAY_ADDRESS"),
        ({"EVALAPP_EXECUTOR": "ray", "RAY_ADDRESS": "ray://head:10001"}, "RAY_ADDRESS"),
        ({"EVALAPP_RAY_GPUS": "many"}, "EVALAPP_RAY_GPUS"),
        ({"EVALAPP_RAY_GPUS": "1.5"}, "EVALAPP_RAY_GPUS"),
        ({"EVALAPP_GPUS": "0+1,1"}, "EVALAPP_GPUS"),
    ):
        with pytest.raises(EnvironmentProblem, match=told) as refused:
            read_environment(variables)
        assert "secret" not in str(refused.value)
