"""The foreground process behind `manage.py up`."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evalapp.embedded import logs, programs, reserve, state
from evalapp.embedded.addresses import check_address_is_free, health
from evalapp.embedded.database_versions import check_database_version
from evalapp.embedded.interrupts import Interrupts, StopRequested
from evalapp.embedded.ownership import Owner, Ownership
from evalapp.embedded.postgres import PostgresServer
from evalapp.embedded.problems import ServiceProblem, what_failed
from evalapp.embedded.processes import Child, Program, stop_together
from evalapp.embedded.restores import settle
from evalapp.embedded.services import silent_database, why_broker_is_silent, why_database_is_silent
from evalapp.embedded.sole_use import SoleUse
from evalapp.embedded.valkey import ValkeyServer
from evalapp.embedded.your_database import check_your_database
from evalapp.env import Environment

COMMAND = "manage.py up"

_LOOP_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
_STEADY_SECONDS = 30.0  # a child that lived this long starts again at once when it dies
_WEB_SECONDS = 60.0
_OTHER_COMMAND_SECONDS = 60.0
_ROTATE_EVERY_SECONDS = 60.0
_OTHER_USERS_SECONDS = 3.0  # for other commands to finish; then their connections are cut


class AlreadyRunning(Exception):
    """Another `manage.py up` runs for this home."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(f"evalapp runs already (process {owner.pid}).")
        self.owner = owner


@dataclass
class Service:
    """A child that must keep running, with its restart state."""

    name: str
    spawn: Callable[[], Child]
    child: Child | None = None
    restarts: int = 0
    pause: float = _FIRST_PAUSE
    start_at: float = 0.0


@dataclass(frozen=True)
class OneShot:
    """A program that runs once beside the services, and the messages about it."""

    program: Program
    before: str
    after: str
    on_failure: str


class Supervisor:
    """Starts everything in order, keeps it running, and stops it in reverse order.

    `prepare` runs once the servers answer and before the web server starts (migrations, static files);
    `afterwards` returns the programs to run one by one once the web server answers. `report` prints a line to
    the terminal. `with_model_worker=False`: another machine runs the model worker.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        prepare: Callable[[], None],
        afterwards: Callable[[], Iterable[OneShot]],
        report: Callable[[str], None],
        with_model_worker: bool = True,
    ) -> None:
        self._environment = environment
        self._prepare = prepare
        self._afterwards = afterwards
        self._report = report
        self._with_model_worker = with_model_worker
        self._interrupts = Interrupts()
        self._ownership = Ownership(environment)
        self._postgres = PostgresServer(environment, pause=self._interrupts.pause)
        self._valkey = ValkeyServer(environment, pause=self._interrupts.pause)
        self._sole_use = SoleUse(environment, pause=self._interrupts.pause)
        self._services: list[Service] = []
        self._one_shots: Iterator[OneShot] = iter(())
        self._running_one_shot: tuple[OneShot, Child] | None = None
        self._rotate_at = 0.0
        self._state_is_told = True

    def run(self) -> None:
        """Serve until a stop signal. Raises AlreadyRunning or ServiceProblem, with everything stopped."""
        with self._interrupts.installed(), contextlib.suppress(StopRequested):
            self._take_ownership()
            self._report(f"Starting evalapp in {self._environment.home} …")
            try:
                check_address_is_free(self._environment)
                with contextlib.suppress(StopRequested):
                    self._start()
                    while True:
                        self._interrupts.pause(_LOOP_SECONDS)
                        self._tend()
                self._report("Stopping …")
            finally:
                self._stop()

    # Starting

    def _take_ownership(self) -> None:
        deadline = time.monotonic() + _OTHER_COMMAND_SECONDS
        told = False
        while not self._ownership.try_to_own(COMMAND):
            owner = self._ownership.current_owner()
            if owner is not None and owner.command == COMMAND:
                raise AlreadyRunning(owner)
            if owner is not None and time.monotonic() > deadline:
                raise ServiceProblem(
                    f"`{owner.command}` (process {owner.pid}) uses the database of {self._environment.home}:"
                    " let it finish or stop it, then start again."
                )
            if owner is not None and not told:
                self._report(f"Waiting for `{owner.command}` (process {owner.pid}) to finish …")
                told = True
            self._interrupts.pause(0.1)

    def _start(self) -> None:
        environment = self._environment
        if environment.embedded_postgres:
            self._give_reserve()
            self._adopt(Service("postgres", self._respawn_postgres), self._postgres.start())
        elif reason := why_database_is_silent(environment):
            raise ServiceProblem(silent_database(reason))
        else:
            check_database_version(environment)
            check_your_database(environment)
            self._sole_use.take()
        if environment.embedded_valkey:
            self._adopt(Service("valkey", self._valkey.spawn), self._valkey.start())
        elif reason := why_broker_is_silent(environment):
            raise ServiceProblem(
                f"The server in REDIS_URL does not answer ({reason}): start it or correct the URL."
            )
        if outcome := settle(environment):
            self._report(outcome)
        self._prepare()
        self._interrupts.pause(0)
        self._launch(programs.web())
        self._launch(programs.default_worker())
        if self._with_model_worker:
            self._launch(programs.model_worker(environment))
        self._launch(programs.beat(environment))
        self._wait_for_web()
        self._one_shots = iter(self._afterwards())

    def _adopt(self, service: Service, child: Child) -> None:
        service.child = child
        self._services.append(service)
        self._write_state()

    def _launch(self, program: Program) -> None:
        service = Service(program.name, lambda: self._spawn(program))
        self._adopt(service, service.spawn())

    def _spawn(self, program: Program) -> Child:
        with logs.open_log(self._environment.log_folder, program.name) as output:
            return Child(program, output)

    def _give_reserve(self) -> None:
        if reserve.give(self._environment):
            self._report(
                f"The disk of {self._environment.postgres_folder} is full: PostgreSQL starts with reserved"
                " space. Pages can be read, but little can be stored: free space."
            )

    def _respawn_postgres(self) -> Child:
        self._give_reserve()
        self._postgres.prepare()
        return self._postgres.spawn()

    def _wait_for_web(self) -> None:
        deadline = time.monotonic() + _WEB_SECONDS
        web = self._service(programs.WEB)
        while (answer := health(self._environment)) is None or answer[0] != 200:
            if web.child is not None and web.child.exit_status is not None:
                raise ServiceProblem(
                    f"The web server ended while starting. {self._log_of(programs.WEB)} says:\n"
                    + logs.last_lines(self._environment.log_folder, programs.WEB)
                )
            if time.monotonic() > deadline:
                found = f"it answered {answer[0]}: {answer[1][:200]}" if answer else "nothing answered"
                raise ServiceProblem(
                    f"The web server was not ready within {_WEB_SECONDS:.0f} s ({found});"
                    f" its log is {self._log_of(programs.WEB)}."
                )
            self._interrupts.pause(0.1)

    # Keeping services running

    def _tend(self) -> None:
        now = time.monotonic()
        if not self._environment.embedded_postgres:
            self._sole_use.keep()
        for service in self._services:
            self._tend_service(service, now)
        self._tend_one_shot()
        if now >= self._rotate_at:
            logs.rotate(self._environment.log_folder)
            if self._environment.embedded_postgres:
                reserve.fill(self._environment)
            if not self._state_is_told:
                self._write_state()
            self._rotate_at = now + _ROTATE_EVERY_SECONDS

    def _tend_service(self, service: Service, now: float) -> None:
        if service.child is not None:
            if service.child.exit_status is not None:
                self._bury(service, service.child, now)
        elif now >= service.start_at:
            service.restarts += 1
            try:
                service.child = service.spawn()
            except (ServiceProblem, OSError) as problem:
                self._report(f"{service.name} cannot start again: {problem}")
                self._postpone(service, now)
            self._write_state()

    def _bury(self, service: Service, child: Child, now: float) -> None:
        child.kill_leftovers()
        service.child = None
        if now - child.started > _STEADY_SECONDS:
            service.pause = _FIRST_PAUSE
        self._report(
            f"{service.name} ended ({_how(child.exit_status)}) and starts again;"
            f" its log is {self._log_of(service.name)}."
        )
        self._postpone(service, now)
        self._write_state()

    def _postpone(self, service: Service, now: float) -> None:
        service.start_at = now + service.pause
        service.pause = min(service.pause * 2, _LONGEST_PAUSE)

    def _tend_one_shot(self) -> None:
        if self._running_one_shot is not None:
            one_shot, child = self._running_one_shot
            if child.exit_status is None:
                return
            self._running_one_shot = None
            self._report_end(one_shot, child)
        following = next(self._one_shots, None)
        if following is not None:
            if following.before:
                self._report(following.before)
            self._running_one_shot = (following, self._spawn(following.program))

    def _report_end(self, one_shot: OneShot, child: Child) -> None:
        if child.exit_status == 0:
            if one_shot.after:
                self._report(one_shot.after)
            return
        name = one_shot.program.name
        self._report(f"{one_shot.on_failure} {self._log_of(name)} says:")
        self._report(logs.last_lines(self._environment.log_folder, name, count=1))

    # Stopping

    def _stop(self) -> None:
        if self._running_one_shot is not None:
            self._running_one_shot[1].stop()
        # After a second Ctrl-C, running tasks are not waited for.
        self._stop_services(programs.WEB)
        self._stop_services(programs.DEFAULT_WORKER, programs.MODEL_WORKER, programs.BEAT)
        self._sole_use.release()
        with self._ownership.without_users(_OTHER_USERS_SECONDS):
            self._stop_services("valkey")
            stop_together(self._children("postgres"))
            state.forget(self._environment)
            self._ownership.release()

    def _stop_services(self, *names: str) -> None:
        stop_together(self._children(*names), hurry=lambda: self._interrupts.stops > 1)

    def _children(self, *names: str) -> list[Child]:
        return [
            service.child for service in self._services if service.name in names and service.child is not None
        ]

    # Reporting

    def _service(self, name: str) -> Service:
        return next(service for service in self._services if service.name == name)

    def _log_of(self, name: str) -> str:
        return str(self._environment.log_folder / f"{name}.log")

    def _write_state(self) -> None:
        states = [
            state.ServiceState(
                name=service.name,
                pid=service.child.pid if service.child else None,
                restarts=service.restarts,
            )
            for service in self._services
        ]
        try:
            state.write(self._environment, states)
            self._state_is_told = True
        except OSError as error:
            # The services keep running; `status` shows the last written state.
            self._state_is_told = False
            self._report(f"The state of the processes cannot be written ({what_failed(error)}): free space.")


def _how(status: int | None) -> str:
    return f"killed by signal {-status}" if status is not None and status < 0 else f"exit code {status}"
