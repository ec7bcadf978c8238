"""`manage.py export_model VERSION FILE`: an adapter, a full model or a merged one as a zip with its card and
hashes.
"""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from evalapp.artifacts import merging, packing
from evalapp.artifacts.models import MergedExport, MergeFormat
from evalapp.artifacts.streaming import zip_blocks
from evalapp.core.errors import ProblemError
from evalapp.registry.models import ModelVersion

_PAUSE = 1.0


class Command(BaseCommand):
    help = (
        "Write a tuned version with its model card and the SHA-256 of each file into a zip. With "
        "--merged, the model worker of the running installation first merges the adapter into its "
        "base."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", type=int, help="Id of the version, as in the URL of its page.")
        parser.add_argument("file", type=Path, help="Zip file to write; it must not exist.")
        parser.add_argument(
            "--merged",
            action="store_true",
            help="Write the full model, with the adapter merged into its base.",
        )
        parser.add_argument("--dtype", choices=MergeFormat.values, default=MergeFormat.BASE.value)

    def handle(self, *args: Any, **options: Any) -> None:
        version = (
            ModelVersion.objects.select_related("project", "model", "base__model")
            .filter(pk=options["version"])
            .first()
        )
        if version is None:
            raise CommandError(f"There is no model version with the id {options['version']}.")
        try:
            merged = self._merged(version, options["dtype"]) if options["merged"] else None
            self._write(version, merged, options["file"])
        except ProblemError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}.") from error

    def _merged(self, version: ModelVersion, dtype: str) -> MergedExport:
        merged = merging.start_merge(version=version, by=None, dtype=dtype)
        said = ""
        while True:
            merged = MergedExport.objects.select_related("job", "model_version").get(pk=merged.pk)
            told = merged.job.stage or merged.job.get_state_display()
            if told != said:
                self.stdout.write(told)
                said = told
            if merged.job.is_over:
                break
            time.sleep(_PAUSE)
        if not merged.is_there:
            raise CommandError(merged.job.error or f"The merge is {merged.job.get_state_display().lower()}.")
        return merged

    def _write(self, version: ModelVersion, merged: MergedExport | None, path: Path) -> None:
        entries = packing.entries_of(version, reader=None, merged=merged)
        # Renamed when complete, so that no partial file remains.
        part = path.with_name(f".{path.name}.part")
        if path.exists():
            raise CommandError(f"{path} exists already. Choose another name.")
        try:
            with part.open("xb") as file:
                for block in zip_blocks(entries, folder=packing.stem_of(version, merged)):
                    file.write(block)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        with transaction.atomic():
            packing.note_export(version, by=None, merged=merged, what="archive")
        self.stdout.write(f"{path}: {path.stat().st_size:,} bytes, {len(entries)} files.")
