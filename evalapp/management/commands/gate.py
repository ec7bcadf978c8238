"""`manage.py gate CAMPAIGN`: a gate's verdict as an exit code, for continuous delivery."""

import json
import sys
import uuid
from typing import Any, NamedTuple, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ProblemError
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import GateEvaluation, GateVerdict
from evalapp.gates.queries import applied_gates, candidate_named, evaluations_of
from evalapp.gates.reviews_needed import ReviewsNeeded, reviews_needed_of
from evalapp.registry.models import ModelVersion

EXITS = {GateVerdict.RELEASE.value: 0, GateVerdict.DO_NOT_RELEASE.value: 1, GateVerdict.NOT_YET.value: 2}
ERROR = 3


class _BeforeFirst(NamedTuple):
    candidate: ModelVersion
    waiting: ReviewsNeeded

    @property
    def verdict_for_delivery(self) -> str:
        return GateVerdict.NOT_YET.value


class Command(BaseCommand):
    help = (
        "Evaluate the campaign's gate on a candidate and record the evaluation. Exit code 0: "
        "release; 1: do not release; 2: not yet (also before the first review, and for exploratory "
        "or simulated evaluations); 3: the gate could not be evaluated."
    )
    # A failing check would exit with 1.
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **options)

        # argparse would exit with 2, “not yet”.
        def refuse(message: str) -> NoReturn:
            parser.print_usage(sys.stderr)
            print(message, file=sys.stderr)
            sys.exit(ERROR)

        parser.error = refuse  # type: ignore[method-assign]  # this parser alone
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="Id, key or unique name of the campaign.")
        parser.add_argument(
            "--candidate", default="", help="Label of the candidate; default: the newest tuned one."
        )
        parser.add_argument(
            "--last", action="store_true", help="Read the last recorded evaluation without spending budget."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._asked(options)
        except ProblemError as error:
            raise CommandError(error.message, returncode=ERROR) from error
        except CommandError:
            raise
        except Exception as error:
            # Any unexpected error must not read as a verdict, as the default exit code 1 would.
            raise CommandError(f"The gate could not be evaluated: {error}", returncode=ERROR) from error
        if options["json"]:
            self.stdout.write(json.dumps(_told(found), ensure_ascii=False, indent=1))
        elif isinstance(found, _BeforeFirst):
            self.stdout.write(f"{found.candidate.label}: not yet\n{found.waiting.words}")
        else:
            self._print(found)
        if code := EXITS[found.verdict_for_delivery]:
            sys.exit(code)

    def _asked(self, options: dict[str, Any]) -> "GateEvaluation | _BeforeFirst":
        """The new or the last recorded evaluation; nothing is recorded before the gate's first review."""
        campaign = _campaign(options["campaign"])
        campaign_gate = next(iter(applied_gates(campaign)), None)
        if campaign_gate is None:
            raise CommandError(f"{campaign} has no gate.", returncode=ERROR)
        candidate = candidate_named(campaign_gate, options["candidate"])
        if waiting := reviews_needed_of(campaign_gate):
            return _BeforeFirst(candidate, waiting)
        if not options["last"]:
            return evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=None).evaluation
        last = evaluations_of(campaign_gate).filter(candidate=candidate).first()
        if last is None:
            raise CommandError(f"The gate has not been evaluated on {candidate.label} yet.", returncode=ERROR)
        return last

    def _print(self, evaluation: GateEvaluation) -> None:
        verdict = GateVerdict(evaluation.verdict_for_delivery).label.lower()
        # A verdict that cannot be signed must not read as “release”.
        beside = (
            ""
            if evaluation.may_be_signed
            else f" (by its numbers alone: {evaluation.get_verdict_display().lower()})"
        )
        self.stdout.write(f"{evaluation.candidate.label}: {verdict}{beside}")
        if evaluation.is_simulated:
            self.stdout.write("Simulated: no person has rated, so this verdict decides nothing.")
        elif evaluation.is_exploratory:
            self.stdout.write(f"Exploratory: {evaluation.record['why_beside_ledger']}.")
        for result in evaluation.record["results"]:
            self.stdout.write(f"  {result['state']:9}  {result['words']}. {result['reason']}")
        if evaluation.more_reviews:
            self.stdout.write(
                f"About {evaluation.more_reviews:,} more reviews of the candidate would decide the undecided"
                " conditions."
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
        raise CommandError(f"{how} “{named}”. Give the campaign's id or key.", returncode=ERROR)
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
        "verdict_of_numbers": evaluation.verdict,
        "reason": evaluation.why_not_signed,
        "candidate": evaluation.candidate.label,
        "evaluation": evaluation.pk,
        "body_hash": evaluation.body_hash,
    }
