"""Relays a program's events to the job: progress, log, engine and training metrics."""

from pathlib import Path
from typing import Any

from django.db import transaction

from evalapp.jobs.work import Work
from evalapp.runs.models import Run, TrainingPoint
from evalapp.runs.programs.events import EventTail, GarbageError
from evalapp.runs.programs.ingest import account_of, record_device
from evalapp.runs.training.sample_answers import store_sample_answers
from inference.spec import Engine
from run_directory.protocol import EVENTS_FILE, Device, Event
from run_directory.records import RecordError
from training.spec import RowAccount, SampleAnswers

_LEVELS = {"warning": "warning"}
_LOGGED_KINDS = frozenset({"started", "stage", "warning", "finished"})
_LONGEST_LOGGED = 2_000


class ProgramRelay:
    """Call ``tick`` about twice a second while the program runs, and once after its end."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.folder = folder
        self._work = work
        self._tail = EventTail(folder / EVENTS_FILE)
        self._stage = "Starting the program"
        self._farthest = 0
        self.facts: dict[str, Any] = {}
        """Fields of all stage events so far."""

    def tick(self) -> None:
        """Process new events. Raises GarbageError when the program wrote something other than events, and
        LeaseLost when another attempt has taken the job.
        """
        latest: Event | None = None
        for event, is_replayed in self._tail.new_events():
            # The job's end logs the reason of a failure.
            is_told_elsewhere = is_replayed or event.fields.get("outcome") == "failed"
            if event.kind in _LOGGED_KINDS and not is_told_elsewhere:
                level = _LEVELS.get(event.kind, "info")
                self._work.log(event.message[:_LONGEST_LOGGED], level=level, data=event.fields)
            if event.kind == "stage":
                self._stage = event.message.rstrip(".")[:120]
                self.facts.update(event.fields)
                # Each attempt repeats its stages, and must not fail because of an earlier attempt's events.
                if not is_replayed:
                    self._work.enter(self._stage)
                    self._note_stage(event)
            if event.kind in ("progress", "metrics"):
                self._note_point(event)
            if event.kind == "samples":
                self._note_samples(event, is_replayed=is_replayed)
            if event.kind == "progress":
                latest = event
                self._note_gain(event, is_replayed=is_replayed)
        if latest is not None:
            self.say(latest, self._stage)

    def _note_stage(self, event: Event) -> None:
        """Store the data of a stage event; overridden."""

    def _note_point(self, event: Event) -> None:
        """Store the metrics of a step; overridden."""

    def _note_samples(self, event: Event, *, is_replayed: bool) -> None:
        """Store sample answers; overridden."""

    def _note_gain(self, event: Event, *, is_replayed: bool) -> None:
        step = event.step or 0
        if step > self._farthest:
            self._farthest = step
            if not is_replayed:
                self._work.note_gain()

    def say(self, event: Event, stage: str) -> None:
        """Report progress from the newest progress event."""
        eta = event.fields.get("eta_seconds")
        eta_seconds = float(eta) if isinstance(eta, int | float) else None
        self._work.report(event.step or 0, event.total, stage, eta_seconds=eta_seconds)


class Relay(ProgramRelay):
    """A relay for a run: also stores its device and engine and, for a training, row counts, points and sample
    answers.
    """

    def __init__(self, work: Work, run: Run, folder: Path) -> None:
        super().__init__(work, folder)
        work.log(f"Run directory: {folder}")
        self._run = run
        self._points: dict[int, dict[str, Any]] = {}
        self._changed: set[int] = set()

    def tick(self) -> None:
        super().tick()
        self._write_points()

    def _note_stage(self, event: Event) -> None:
        # Stored at once, not at the end, so that people see a wrong device early and a stopped training has
        # its row counts.
        if self._run.kind == "training" and "rows" in event.fields:
            self._store_row_account(event)
        if "device" not in event.fields:
            return
        try:
            device = Device.from_dict(event.fields["device"])
            engine = Engine.from_dict(event.fields["engine"]) if "engine" in event.fields else None
        except RecordError as error:
            raise GarbageError(
                f"The program names a device or an engine that cannot be read: {error}."
            ) from error
        with transaction.atomic():
            record_device(self._run, device, engine)
            self._run.save(update_fields=["engine", "device", "engine_reason"])
            self._work.fence()

    def _store_row_account(self, event: Event) -> None:
        try:
            account = RowAccount.from_dict(event.fields["rows"])
        except RecordError as error:
            raise GarbageError(
                f"The program reported its row counts in a form that cannot be read: {error}."
            ) from error
        with transaction.atomic():
            self._run.rows = account_of(self._run, account)
            self._run.save(update_fields=["rows"])
            self._work.fence()

    def _note_point(self, event: Event) -> None:
        if self._run.kind != "training" or event.step is None:
            return
        numbers = {name: value for name, value in event.fields.items() if isinstance(value, int | float)}
        numbers.pop("eta_seconds", None)
        self._points.setdefault(event.step, {}).update(numbers)
        self._changed.add(event.step)

    def _note_samples(self, event: Event, *, is_replayed: bool) -> None:
        if self._run.kind != "training" or event.step is None:
            return
        try:
            with transaction.atomic():
                store_sample_answers(self._run, event.step, SampleAnswers.from_dict(event.fields))
                self._work.fence()
        except RecordError as error:
            # An attempt must not fail because of an earlier attempt's events.
            if is_replayed:
                return
            raise GarbageError(f"The program wrote sample answers that cannot be read: {error}.") from error

    def _write_points(self) -> None:
        if not self._changed:
            return
        points = [
            TrainingPoint(run=self._run, step=step, values=self._points[step])
            for step in sorted(self._changed)
        ]
        with transaction.atomic():
            TrainingPoint.objects.bulk_create(
                points, update_conflicts=True, unique_fields=["run", "step"], update_fields=["values"]
            )
            self._work.fence()
        self._changed.clear()
