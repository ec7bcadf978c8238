from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.demo.models import Demonstration, Track
from evalapp.demo.recording import RECORDING, save_recording
from evalapp.demo.services import remove_demonstration, start_demonstration


class Command(BaseCommand):
    help = "Start the demonstration, start it over, or record a finished live one."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--start", action="store_true", help="make the demonstration if it is not there")
        what.add_argument("--reset", action="store_true", help="delete the demonstration and start it over")
        what.add_argument(
            "--record", action="store_true", help="keep the finished live track as the recorded cycle"
        )
        parser.add_argument("--to", type=Path, default=RECORDING, help="where --record writes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["record"]:
            live = Demonstration.objects.filter(track=Track.LIVE).exclude(finished_at=None).first()
            if live is None:
                raise CommandError("No live demonstration has finished yet; wait for it, then record.")
            kept = save_recording(live, options["to"])
            self.stdout.write(f"Recorded {kept} outputs to {options['to']}.")
            return
        if options["reset"] and remove_demonstration():
            self.stdout.write("The demonstration was deleted.")
        project = start_demonstration()
        self.stdout.write(f"“{project.name}” is there; its log-ins are in demo-logins.txt in EVALAPP_HOME.")
