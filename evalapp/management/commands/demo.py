import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.core.errors import ProblemError
from evalapp.decisions.deletion import JobsRunningError
from evalapp.demo.models import Demonstration, Track
from evalapp.demo.recording import RECORDING, save_recording
from evalapp.demo.services import remove_demonstration, start_demonstration
from evalapp.demo.story import STEPS
from evalapp.jobs.models import Job, JobState
from evalapp.runs.programs.model_programs import why_not_runnable
from evalapp.templatetags.durations import about

LOOK_EVERY_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Start the demonstration, start it over, watch its live track, or record the live track when "
        "it has finished."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--start", action="store_true", help="create the demonstration if it does not exist"
        )
        what.add_argument("--reset", action="store_true", help="delete the demonstration and start it over")
        what.add_argument(
            "--watch", action="store_true", help="print the progress of the live track until it ends"
        )
        what.add_argument(
            "--record", action="store_true", help="store the finished live track as the recorded cycle"
        )
        parser.add_argument(
            "--yes", action="store_true", help="do not ask for confirmation before --reset deletes"
        )
        parser.add_argument("--to", type=Path, default=RECORDING, help="file that --record writes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["record"]:
            self._record(options["to"])
        elif options["watch"]:
            self._watch()
        else:
            if options["reset"]:
                self._confirm(options["yes"])
                self._remove()
            project = start_demonstration()
            self.stdout.write(
                f"The demonstration “{project.name}” exists; its log-ins are in demo-logins.txt in "
                "EVALAPP_HOME."
            )

    def _remove(self) -> None:
        """Wait until the running job has stopped, at most as long as saving or losing a worker can take."""
        until = time.monotonic() + settings.JOB_STOP_SECONDS + settings.JOB_LEASE_SECONDS
        is_told = False
        while True:
            try:
                is_removed = remove_demonstration()
            except ProblemError as error:
                if not isinstance(error, JobsRunningError) or time.monotonic() > until:
                    raise CommandError(error.message) from error
            else:
                break
            if not is_told:
                self.stdout.write("Waiting until the running job has stopped, at most two minutes …")
                is_told = True
            time.sleep(LOOK_EVERY_SECONDS)
        if is_removed:
            self.stdout.write("The demonstration was deleted.")

    def _confirm(self, is_sure: bool) -> None:
        if is_sure or not sys.stdin.isatty():
            return
        self.stdout.write(
            "This deletes the demonstration, including all reviews that visitors submitted in it."
        )
        if input("Continue? [y/N]").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was deleted.")

    def _record(self, path: Path) -> None:
        live = Demonstration.objects.filter(track=Track.LIVE).exclude(finished_at=None).first()
        if live is None:
            raise CommandError("No live demonstration has finished yet. Wait until it has, then record it.")
        kept = save_recording(live, path)
        self.stdout.write(f"Recorded {kept} outputs to {path}.")

    def _watch(self) -> None:
        """Print the live track's progress until it ends; CommandError if it has stopped or cannot begin."""
        told = ""
        while True:
            live = Demonstration.objects.select_related("job").filter(track=Track.LIVE).first()
            if live is None:
                raise CommandError(
                    why_not_runnable() or "There is no live demonstration. Start one with --start."
                )
            if live.finished_at is not None:
                minutes = (live.finished_at - live.created_at).total_seconds() / 60
                self.stdout.write(f"The live demonstration ended after {minutes:.1f} min.")
                return
            if (line := _line(live)) != told:
                self.stdout.write(line)
                self.stdout.flush()
                told = line
            if live.job is not None and live.job.state in (
                JobState.FAILED,
                JobState.DEAD,
                JobState.CANCELLED,
            ):
                raise CommandError(f"It has stopped: {live.job.error or live.job.get_state_display()}")
            time.sleep(LOOK_EVERY_SECONDS)


def _line(live: Demonstration) -> str:
    step = f"{live.position + 1} of {len(STEPS)}: {STEPS[live.position].title}"
    return f"{step}{_progress(live.job)}" if live.job is not None else step


def _progress(job: Job) -> str:
    if not job.progress_total:
        return f" · {job.stage or job.get_state_display().lower()}"
    eta = f", about {about(job.eta_seconds)} left" if job.eta_seconds else ""
    return f" · {job.progress_done:,} of {job.progress_total:,}{eta}"
