"""Settings from the process environment: read once, checked, typed.

Everything that differs between installations comes from here; `evalapp.settings` and the
supervisor read the same frozen `Environment`, so they cannot disagree. Without any variable
the product keeps everything under one folder, `EVALAPP_HOME`, and runs its own PostgreSQL and
Valkey there; both addresses then follow from the folder alone and hold no secret.
"""

import functools
import hashlib
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from evalapp.env_hub import hub_token_in, web_url_in
from evalapp.env_machines import MachineSettings, machines_in
from evalapp.env_mail import MailSettings, mail_in, sender_in
from evalapp.env_sign_on import SignOnSettings, domains_in, issuer_in, secret_in
from run_directory.outgoing_policy import policy_of

REPOSITORY = Path(__file__).resolve().parent.parent

DATABASE_NAME = "evalapp"
DATABASE_USER = "evalapp"
# PostgreSQL names its socket after a port even where it listens to no network.
POSTGRES_SOCKET_NAME = ".s.PGSQL.5432"
VALKEY_SOCKET_NAME = "valkey.sock"

# The kernel holds a socket's path in 108 bytes; PostgreSQL adds a ".lock" file beside it.
LONGEST_SOCKET_PATH = 100
SECRET_KEY_CHARACTERS = 64
SHORTEST_SECRET_KEY = 32

# Per process: a web process has four threads at work and eight that wait for slow clients, a worker has one.
POOL_SIZE = 14
CONNECT_TIMEOUT_SECONDS = 5
RECONNECT_SECONDS = 4

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_NO_WORDS: tuple[str, ...] = ()

Value = TypeVar("Value")


class EnvironmentProblem(ImproperlyConfigured):
    """A variable holds something the product cannot use; the text says which and how to fix it."""


class Bind(NamedTuple):
    """Where the web server listens."""

    host: str
    port: int

    @property
    def reachable_from_other_machines(self) -> bool:
        return self.host not in {"127.0.0.1", "::1", "localhost"}

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{_bracketed(host)}:{self.port}"

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True)
class Environment:
    """The installation as its environment describes it.

    `database_url` and `redis_url` are the addresses to use, whoever runs the servers;
    `embedded_postgres` and `embedded_valkey` say whether they are ours to start.
    """

    home: Path
    socket_folder: Path
    database_url: str
    redis_url: str
    embedded_postgres: bool
    embedded_valkey: bool
    bind: Bind
    allowed_hosts: tuple[str, ...]
    secret_key_file: Path
    model_python: Path
    model_folders: tuple[Path, ...]
    gpus: tuple[str, ...] | None
    trusted_proxy: tuple[str, ...]
    debug: bool
    outgoing_allowed: tuple[str, ...]
    sign_on: SignOnSettings | None
    passwords: bool
    mail: MailSettings | None
    hub_url: str
    hub_token: str = field(repr=False)
    machines: MachineSettings

    @property
    def postgres_folder(self) -> Path:
        """Data folder and password file of the embedded PostgreSQL."""
        return self.home / "postgres"

    @property
    def postgres_password_file(self) -> Path:
        """A libpq password file; connections name it, so no URL and no log holds the password."""
        return self.postgres_folder / "pgpass"

    @property
    def valkey_folder(self) -> Path:
        return self.home / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.socket_folder / VALKEY_SOCKET_NAME

    @property
    def log_folder(self) -> Path:
        return self.home / "logs"

    @property
    def bundled_model_folder(self) -> Path:
        """The small real model that comes with the product, once converted."""
        return self.home / "models" / "SmolLM2-135M-Instruct"

    @property
    def demo_logins_file(self) -> Path:
        return self.home / "demo-logins.txt"

    @property
    def celery_broker_url(self) -> str:
        """`redis_url` in the form that Celery understands (it has its own name for sockets)."""
        if not self.redis_url.startswith("unix://"):
            return self.redis_url
        parts = urlsplit(self.redis_url)
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis+socket://{parts.path}?virtual_host={database}"

    def django_database(self) -> dict[str, Any]:
        """`database_url` as the one entry of Django's DATABASES, pooled and health-checked."""
        return database_settings(self.database_url)

    def upload_folder(self) -> str:
        """Where uploads larger than memory land while they arrive; made when missing."""
        folder = self.home / "uploads"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _not_writable(folder, error) from error
        return str(folder)

    def secret_key(self) -> str:
        """The key that signs sessions; made at the first start, readable by its owner alone.

        Raises EnvironmentProblem where the file is too short to be a key or open to others.
        """
        path = self.secret_key_file
        if not path.exists():
            _create_private_file(path, secrets.token_urlsafe(SECRET_KEY_CHARACTERS) + "\n")
        try:
            mode = path.stat().st_mode
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentProblem(f"The secret key in {path} cannot be read: {error}.") from error
        if mode & 0o007:
            raise EnvironmentProblem(
                f"The secret key in {path} can be read by every user: run `chmod 600 {path}`."
            )
        if len(key) < SHORTEST_SECRET_KEY:
            raise EnvironmentProblem(
                f"The secret key in {path} is shorter than {SHORTEST_SECRET_KEY} characters:"
                " delete the file and start again; everyone then has to sign in again."
            )
        return key


@functools.cache
def environment() -> Environment:
    """The environment of this process, read once."""
    return read_environment()


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the variables (default: those of this process).

    Raises EnvironmentProblem, naming the variable, at the first that cannot be used. Writes
    nothing; the folders are made by whoever starts the services.
    """
    read = _Reader(os.environ if variables is None else variables)
    home = read.one("EVALAPP_HOME", _absolute_path, REPOSITORY / "var")
    sockets = socket_folder_for(home)
    bind = read.one("EVALAPP_BIND", _bind, Bind("127.0.0.1", 8000))
    database_url = read.one("DATABASE_URL", _database_url, None)
    redis_url = read.one("REDIS_URL", _redis_url, None)
    return Environment(
        home=home,
        socket_folder=sockets,
        database_url=database_url or embedded_database_url(home, sockets),
        redis_url=redis_url or f"unix://{quote(str(sockets / VALKEY_SOCKET_NAME))}?db=0",
        embedded_postgres=database_url is None,
        embedded_valkey=redis_url is None,
        bind=bind,
        allowed_hosts=_allowed_hosts(read, bind),
        secret_key_file=read.one("EVALAPP_SECRET_KEY_FILE", _absolute_path, home / "secret-key"),
        model_python=read.one("EVALAPP_MODEL_PYTHON", _program, Path(sys.executable)),
        model_folders=read.one("EVALAPP_MODEL_FOLDERS", _folders, (home / "models",)),
        gpus=read.one("EVALAPP_GPUS", _gpus, None),
        trusted_proxy=read.one("EVALAPP_TRUSTED_PROXY", _networks, _NO_WORDS),
        debug=read.one("EVALAPP_DEBUG", _truth, False),
        outgoing_allowed=read.one("EVALAPP_OUTGOING_ALLOWED", _outgoing, _NO_WORDS),
        sign_on=(sign_on := _sign_on(read)),
        passwords=_passwords(read, sign_on),
        mail=_mail(read),
        hub_url=read.one("EVALAPP_HUB", web_url_in, "https://huggingface.co"),
        hub_token=_told(hub_token_in, read),
        machines=_told(machines_in, read),
    )


def socket_folder_for(home: Path) -> Path:
    """Where the embedded servers put their sockets: inside the home unless its path is too long.

    The replacement is named after the home's path and the user, so two installations on one
    machine never meet; it is made with mode 0700 and refused where someone else owns it.
    """
    inside = home / "run"
    if len(os.fsencode(inside / POSTGRES_SOCKET_NAME)) < LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    # Not TMPDIR: every shell must find the same socket.
    return Path("/tmp") / f"evalapp-{os.getuid()}-{digest}"  # noqa: S108 - a folder of its own, whose owner is checked


def embedded_database_url(home: Path, sockets: Path, name: str = DATABASE_NAME) -> str:
    """The embedded PostgreSQL's address: a socket, and the file that holds the password."""
    password_file = home / "postgres" / "pgpass"
    return (
        f"postgresql://{DATABASE_USER}@/{name}"
        f"?host={quote(str(sockets), safe='')}&passfile={quote(str(password_file), safe='')}"
    )


def database_settings(url: str) -> dict[str, Any]:
    """A `postgresql://` address as one entry of Django's DATABASES.

    A `host` in the query (a socket folder) wins over the authority; every other query
    parameter is handed to libpq (`sslmode`, `passfile`, …).
    """
    parts = urlsplit(url)
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **dict(parse_qsl(parts.query))}
    host = options.pop("host", None) or parts.hostname or ""
    # Of `evalapp.core.prepared`; a cursor of Django's binds on this side and prepares nothing.
    options["prepare_threshold"] = 2
    options["pool"] = {
        "min_size": 0,
        "max_size": POOL_SIZE,
        "timeout": CONNECT_TIMEOUT_SECONDS,
        # The pool backs off while the server is away; giving up early means the first request
        # after its return tries at once instead of sitting out a long pause.
        "reconnect_timeout": RECONNECT_SECONDS,
    }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or options.pop("port", "")),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


class _Reader:
    """Reads variables and puts the name of the bad one into the message."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def one(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        text = self._variables.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            # An address may hold a password, so its text stays out of the message.
            shown = "" if name.endswith("_URL") or "@" in text else f"={text!r}"
            raise EnvironmentProblem(f"{name}{shown}: {error}") from error


def _allowed_hosts(read: _Reader, bind: Bind) -> tuple[str, ...]:
    named = read.one("EVALAPP_ALLOWED_HOSTS", _words, _NO_WORDS)
    if named:
        return named
    if bind.reachable_from_other_machines:
        raise EnvironmentProblem(
            f"EVALAPP_BIND={str(bind)!r} listens to other machines, so EVALAPP_ALLOWED_HOSTS must"
            " name the host names people will use, separated by commas"
            " (for instance EVALAPP_ALLOWED_HOSTS=evalapp.example.org)."
        )
    return ("localhost", "127.0.0.1", "[::1]")


def _sign_on(read: _Reader) -> SignOnSettings | None:
    issuer = read.one("EVALAPP_OIDC_ISSUER", issuer_in, "")
    if not issuer:
        return None
    client_id = read.one("EVALAPP_OIDC_CLIENT_ID", str, "")
    secret = read.one("EVALAPP_OIDC_CLIENT_SECRET_FILE", secret_in, "")
    if not client_id or not secret:
        raise EnvironmentProblem(
            "EVALAPP_OIDC_ISSUER needs EVALAPP_OIDC_CLIENT_ID and EVALAPP_OIDC_CLIENT_SECRET_FILE as well:"
            " the provider gives them to you when you register evalapp there."
        )
    return SignOnSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=secret,
        name=read.one("EVALAPP_OIDC_NAME", str, urlsplit(issuer).hostname or ""),
        signup_domains=read.one("EVALAPP_OIDC_SIGNUP_DOMAINS", domains_in, _NO_WORDS),
    )


def _passwords(read: _Reader, sign_on: SignOnSettings | None) -> bool:
    allowed = read.one("EVALAPP_PASSWORDS", _truth, True)
    if not allowed and sign_on is None:
        raise EnvironmentProblem(
            "EVALAPP_PASSWORDS=off without EVALAPP_OIDC_ISSUER: nobody could sign in. Set the issuer."
        )
    return allowed


def _mail(read: _Reader) -> MailSettings | None:
    server = read.one("EVALAPP_EMAIL_URL", mail_in, None)
    sender = read.one("EVALAPP_EMAIL_FROM", sender_in, "")
    if server is not None and not sender:
        raise EnvironmentProblem(
            "EVALAPP_EMAIL_URL needs EVALAPP_EMAIL_FROM as well: the sender of its emails."
        )
    return replace(server, sender=sender) if server is not None else None


def _told(parse: Callable[[Callable[..., Any]], Value], read: _Reader) -> Value:
    """What several variables say together."""
    try:
        return parse(read.one)
    except ValueError as error:
        raise EnvironmentProblem(str(error)) from error


def _outgoing(text: str) -> tuple[str, ...]:
    policy_of(_words(text))
    return _words(text)


def _absolute_path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _program(text: str) -> Path:
    # Not resolved: a virtual environment's interpreter is a link, and the link is what matters.
    path = _absolute_path(text)
    if not os.access(path, os.X_OK) or path.is_dir():
        raise ValueError("there is no program at this path; name a Python interpreter")
    return path


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(_absolute_path(part) for part in text.split(os.pathsep) if part.strip())


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _gpus(text: str) -> tuple[str, ...]:
    words = _words(text)
    if words == ("none",):
        return ()
    gpus = [gpu for word in words for gpu in word.split("+")]
    if len(set(gpus)) < len(gpus) or "none" in gpus or "" in gpus:
        raise ValueError("name each GPU once (0,1), those of one run joined by + (0+1,2+3), or write none")
    return words


def _networks(text: str) -> tuple[str, ...]:
    words = _words(text)
    for word in words:
        try:
            ip_network(word)
        except ValueError as error:
            raise ValueError(f"{error}; give the proxy's IP addresses, by commas") from error
    return words


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("write 1 or 0")


def _bind(text: str) -> Bind:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("write host:port, for instance 127.0.0.1:8000")
    return Bind(host, int(port))


def _database_url(text: str) -> str:
    if urlsplit(text).scheme not in {"postgresql", "postgres"}:
        raise ValueError("write postgresql://user:password@host:5432/database; no other is supported")
    if not urlsplit(text).path.removeprefix("/"):
        raise ValueError("the URL names no database: add /NAME after the host")
    _check_port(text)
    return text


def _redis_url(text: str) -> str:
    if urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("write redis://host:6379/0, rediss://… or unix:///path/to/socket?db=0")
    _check_port(text)
    return text


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ValueError("the port in this URL is not a number below 65536") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _create_private_file(path: Path, text: str) -> None:
    """Write a new file, whole, mode 0600; keep an existing one (two starts may race)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()


def _not_writable(path: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"{path} cannot be written: {error.strerror}. Set EVALAPP_HOME to a folder of yours."
    )
