"""The web server's address: whether it is free and whether the server answers."""

import http.client
import socket

from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment

_ANSWER_SECONDS = 5


def check_address_is_free(environment: Environment) -> None:
    """Raise ServiceProblem if another program listens at the address or this user may not bind it."""
    bind = environment.bind
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror as error:
        raise ServiceProblem(
            f"EVALAPP_BIND={bind}: this machine cannot resolve the host {bind.host!r}."
        ) from error
    except PermissionError as error:
        raise ServiceProblem(
            f"EVALAPP_BIND={bind}: port {bind.port} needs root; choose one above 1023."
        ) from error
    except OSError as error:
        raise ServiceProblem(
            f"{bind} cannot be used ({error.strerror}): stop the program that listens there, or choose"
            f" another port, for instance EVALAPP_BIND={_neighbour(environment)}."
        ) from error


def health(environment: Environment) -> tuple[int, str] | None:
    """Status and body of /healthz; None if nothing answers."""
    bind = environment.bind
    host = "127.0.0.1" if bind.host == "0.0.0.0" else "::1" if bind.host == "::" else bind.host  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, bind.port, timeout=_ANSWER_SECONDS)
    named = environment.allowed_hosts[0]
    headers = {"Host": "localhost" if named == "*" else named.removeprefix(".")}
    if environment.trusted_proxy:
        headers["X-Forwarded-Proto"] = "https"
    try:
        connection.request("GET", "/healthz", headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _neighbour(environment: Environment) -> str:
    bind = environment.bind
    return str(bind._replace(port=bind.port + 1 if bind.port < 65535 else 8000))
