"""`manage.py artifacts`: lists the artifacts on the disk with why each is needed, and removes those that are
not needed, in two steps.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from evalapp.artifacts import removal
from evalapp.artifacts.actions import ACTS, act_on_artifact
from evalapp.artifacts.inventory import Artifact, artifacts
from evalapp.core.errors import ProblemError


class Command(BaseCommand):
    help = (
        "List the weights, run directories and merged exports of all projects and of none, with why "
        "each is needed. --set-aside marks artifacts that nothing needs; a week later --remove "
        "deletes them from the disk, unless something needs them by then."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths", nargs="*", metavar="KIND:PATH", help="Artifacts as they are listed; default: all."
        )
        acts = parser.add_mutually_exclusive_group()
        for act in ACTS:
            acts.add_argument(f"--{act.replace('_', '-')}", dest="act", action="store_const", const=act)
        parser.add_argument("--unneeded", action="store_true", help="List only artifacts that nothing needs.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        removal.sweep()
        found, chosen = artifacts(), set(options["paths"])
        if unknown := chosen - {_key(each) for each in found}:
            raise CommandError(
                f"There is no artifact {', '.join(sorted(unknown))}; list them without it to see."
            )
        shown = [each for each in found if not chosen or _key(each) in chosen]
        if options["act"]:
            self._act(options["act"], shown, is_named=bool(chosen))
            return
        shown = [each for each in shown if not (options["unneeded"] and each.needs)]
        if options["json"]:
            self.stdout.write(json.dumps([_told(each) for each in shown], ensure_ascii=False, indent=1))
            return
        for each in shown:
            why = "; ".join(each.needs) if each.needs else f"not needed: {each.why_not_needed}"
            aside = (
                f" [set aside, removable from {each.set_aside.removable_at:%Y-%m-%d}]"
                if each.set_aside
                else ""
            )
            self.stdout.write(
                f"{filesizeformat(each.size_bytes):>10}  {_key(each)}  {each.title}: {why}{aside}"
            )
        free = sum(each.freed_bytes for each in shown if not each.needs)
        self.stdout.write(f"{len(shown)} in all; artifacts that nothing needs use {filesizeformat(free)}.")

    def _act(self, act: str, shown: list[Artifact], *, is_named: bool) -> None:
        done = problems = 0
        for each in shown:
            # Without names, only the artifacts that the action applies to.
            if not is_named and (each.needs or (each.set_aside is None) != (act == "set_aside")):
                continue
            try:
                act_on_artifact(act, each, by=None)
            except ProblemError as error:
                problems += 1
                self.stderr.write(f"{_key(each)}: {error.message}")
            else:
                done += 1
                self.stdout.write(f"{ACTS[act]}: {_key(each)} ({filesizeformat(each.size_bytes)})")
        self.stdout.write(f"{done} {ACTS[act]}.")
        if problems and is_named:
            raise CommandError(f"{problems} could not be {ACTS[act]}.")


def _key(artifact: Artifact) -> str:
    return f"{artifact.kind}:{artifact.path}"


def _told(artifact: Artifact) -> dict[str, Any]:
    return {
        "artifact": _key(artifact), "title": artifact.title, "size_bytes": artifact.size_bytes,
        "freed_bytes": artifact.freed_bytes, "used_at": artifact.used_at.isoformat(),
        "needs": list(artifact.needs),
        "is_orphan": artifact.is_orphan,
        "removable_at": artifact.set_aside.removable_at.isoformat() if artifact.set_aside else None,
    }  # fmt: skip
