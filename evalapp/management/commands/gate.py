"""`manage.py gate CAMPAIGN`: a gate's verdict as an exit code, for continuous delivery."""

import json
import sys
import uuid
from typing import Any, NamedTuple, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ProblemError
from evalapp.gates.looks import look_at
from evalapp.gates.models import GateEvaluation, GateVerdict
from evalapp.gates.queries import candidate_named, evaluations_of, taken_by
from evalapp.gates.waiting import Waiting, waiting_of
from evalapp.registry.models import ModelVersion

EXITS = {GateVerdict.SHIP.value: 0, GateVerdict.DO_NOT_SHIP.value: 1, GateVerdict.NOT_YET.value: 2}
ERROR = 3


class _BeforeFirst(NamedTuple):
    candidate: ModelVersion
    waiting: Waiting

    @property
    def verdict_for_delivery(self) -> str:
        return GateVerdict.NOT_YET.value


class Command(BaseCommand):
    help = (
        "Look at a candidate through the campaign's gate, and record it. Exit code 0: ship, 1: do not ship, "
        "2: not yet (also before the first review, and what is exploratory or simulated), 3: it could not be asked."
    )
    # A check that fails would exit by 1.
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **options)

        # Two would be “not yet”.
        def refuse(message: str) -> NoReturn:
            parser.print_usage(sys.stderr)
            print(message, file=sys.stderr)
            sys.exit(ERROR)

        parser.error = refuse  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="The campaign's id, key, or name where only one has it.")
        parser.add_argument(
            "--candidate", default="", help="Its label; without one, the newest tuned candidate."
        )
        parser.add_argument(
            "--last", action="store_true", help="Read the last recorded look, and spend nothing."
        )
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._asked(options)
        except ProblemError as error:
            raise CommandError(error.message, returncode=ERROR) from error
        except CommandError:
            raise
        except Exception as error:
            # The edge of the process: whatever it was must not read as a verdict, as the usual 1 would.
            raise CommandError(f"The gate could not be asked: {error}", returncode=ERROR) from error
        if options["json"]:
            self.stdout.write(json.dumps(_told(found), ensure_ascii=False, indent=1))
        elif isinstance(found, _BeforeFirst):
            self.stdout.write(f"{found.candidate.label}: not yet\n{found.waiting.words}")
        else:
            self._print(found)
        if code := EXITS[found.verdict_for_delivery]:
            sys.exit(code)

    def _asked(self, options: dict[str, Any]) -> "GateEvaluation | _BeforeFirst":
        """The look, recorded now or before; nothing is recorded while the gate waits for its first review."""
        campaign = _campaign(options["campaign"])
        taken = next(iter(taken_by(campaign)), None)
        if taken is None:
            raise CommandError(f"{campaign} has not taken a gate.", returncode=ERROR)
        candidate = candidate_named(taken, options["candidate"])
        if waiting := waiting_of(taken):
            return _BeforeFirst(candidate, waiting)
        if not options["last"]:
            return look_at(taken=taken, candidate=candidate, by=None).evaluation
        last = evaluations_of(taken).filter(candidate=candidate).first()
        if last is None:
            raise CommandError(f"Nobody has looked at {candidate.label} yet.", returncode=ERROR)
        return last

    def _print(self, evaluation: GateEvaluation) -> None:
        verdict = GateVerdict(evaluation.verdict_for_delivery).label.lower()
        # Nobody reads “ship” of what nobody can sign.
        beside = (
            ""
            if evaluation.may_be_signed
            else f" (its figures alone: {evaluation.get_verdict_display().lower()})"
        )
        self.stdout.write(f"{evaluation.candidate.label}: {verdict}{beside}")
        if evaluation.is_simulated:
            self.stdout.write("Simulated: no person has rated, so it decides nothing.")
        elif evaluation.is_exploratory:
            self.stdout.write(f"Exploratory: {evaluation.record['why_beside_ledger']}.")
        for result in evaluation.record["results"]:
            self.stdout.write(f"  {result['state']:6}  {result['words']}. {result['reason']}")
        if evaluation.more_reviews:
            self.stdout.write(
                f"About {evaluation.more_reviews:,} more reviews of it would show what is open."
            )


def _campaign(named: str) -> Campaign:
    campaigns = Campaign.objects.select_related("project", "rubric_version", "dataset_version__dataset")
    if named.isascii() and named.isdigit() and len(named) < 19:
        found = list(campaigns.filter(pk=int(named)))
    else:
        try:
            found = list(campaigns.filter(key=uuid.UUID(named)))
        except ValueError:
            found = list(campaigns.filter(name=named)[:2])
    if len(found) != 1:
        how = "There are several campaigns" if found else "There is no campaign"
        raise CommandError(f"{how} “{named}”; give its id or key.", returncode=ERROR)
    return found[0]


def _told(evaluation: GateEvaluation | _BeforeFirst) -> dict[str, Any]:
    if isinstance(evaluation, _BeforeFirst):
        return {
            "verdict": evaluation.verdict_for_delivery,
            "candidate": evaluation.candidate.label,
            "evaluation": None,
            "more_reviews": evaluation.waiting.more_reviews,
            "reason": evaluation.waiting.words,
        }
    return {
        **evaluation.record,
        "verdict": evaluation.verdict_for_delivery,
        "verdict_of_figures": evaluation.verdict,
        "reason": evaluation.why_not_signed,
        "candidate": evaluation.candidate.label,
        "evaluation": evaluation.pk,
        "body_hash": evaluation.body_hash,
    }
