"""A report's sections on gates and decisions: conditions, verdicts and signatures."""

import datetime as dt
from collections.abc import Iterator

from django.utils import timezone
from django.utils.dateformat import format as format_date

from evalapp.accounts.queries import role_at
from evalapp.campaigns.models import Campaign
from evalapp.core.tables import Cell, Column, Table, in_words
from evalapp.decisions.models import Decision
from evalapp.decisions.review_changes import review_changes_since
from evalapp.gates.conditions import ConditionKind
from evalapp.gates.measuring import NOT_MET, UNDECIDED
from evalapp.gates.models import CampaignGate, GateEvaluation, GateVerdict
from evalapp.gates.queries import applied_gates, evaluations_of
from evalapp.measure import Measure
from evalapp.reports.document import Block, facts, notice, paragraph, table

STATES = {"met": "met", "not_met": "not met", "undecided": "undecided"}
TONES = {"release": "ok", "do_not_release": "bad", "not_yet": "warn"}
_SHARES = {ConditionKind.LOW_SHARE.value, ConditionKind.VETO.value}


def gate_section(campaign: Campaign) -> Iterator[Block | None]:
    """Every gate of the campaign: the last verdict on each candidate, and the conditions of the newest."""
    campaign_gate = applied_gates(campaign)
    if not campaign_gate:
        yield paragraph("No gate was applied to the campaign.")
    for each in campaign_gate:
        yield from _gate(each)


def _gate(campaign_gate: CampaignGate) -> Iterator[Block | None]:
    gate = campaign_gate.gate
    when = (
        "after the first review, so it is exploratory"
        if campaign_gate.is_exploratory
        else "before the first review"
    )
    champion = (
        f" The others are compared with {campaign_gate.champion}."
        if campaign_gate.champion is not None
        else ""
    )
    evaluated = (
        f"all evaluations of up to {gate.challengers} candidates on one test version"
        if gate.is_sequential
        else "all candidates of the campaign, each evaluated once"
    )
    yield paragraph(
        f"{gate}, applied {when} ({time_of(campaign_gate.created_at)}). Level (one-sided) {gate.alpha:g} for"
        f" {evaluated}.{champion} SHA-256 of the gate: {gate.body_hash}."
    )
    latest = _latest(campaign_gate)
    if not latest:
        yield paragraph("Not evaluated yet.")
    for evaluation in latest:
        yield notice(verdict_words(evaluation), TONES[evaluation.verdict])
        yield notice(since_words(evaluation))
        if evaluation is latest[0]:
            yield table(_conditions(evaluation))


def conditions_section(campaign: Campaign) -> Iterator[Block | None]:
    """For the annex: the conditions of the candidates whose conditions `gate_section` leaves out."""
    for campaign_gate in applied_gates(campaign):
        for evaluation in _latest(campaign_gate)[1:]:
            yield table(_conditions(evaluation))


def _latest(campaign_gate: CampaignGate) -> list[GateEvaluation]:
    """The last evaluation of each candidate, newest first."""
    latest: dict[int, GateEvaluation] = {}
    for evaluation in evaluations_of(campaign_gate):
        latest.setdefault(evaluation.candidate_id, evaluation)
    return list(latest.values())


def verdict_words(evaluation: GateEvaluation) -> str:
    """The verdict in a sentence, with what it rests on and whether it counts."""
    record = evaluation.record
    states = [result["state"] for result in record["results"]]
    # None is failed, and yet it is not released: the plan is over.
    is_over = evaluation.verdict == GateVerdict.DO_NOT_RELEASE and NOT_MET not in states
    counts_in_words = [
        (
            f"{states.count(state)} not shown by the planned {record['planned']} reviews"
            if is_over and state == UNDECIDED
            else f"{states.count(state)} {STATES[state]}"
        )
        for state in STATES
        if states.count(state)
    ]
    added = record["reviewers_added_later"]
    later = f" ({added} added after the first review)" if added else ""
    words = (
        f"{evaluation.candidate}: {evaluation.get_verdict_display().lower()}. Of {len(states)}"
        f" condition{'' if len(states) == 1 else 's'} {', '.join(counts_in_words)};"
        f" {record['reviews']} reviews of {record['items']} items by {record['reviewers']}"
        f" reviewer{'' if record['reviewers'] == 1 else 's'}{later}, {time_of(evaluation.evaluated_at)}."
    )
    if evaluation.more_reviews:
        words += (
            f" About {evaluation.more_reviews} more reviews of it would decide them, if the estimates stay"
            " the same."
        )
    if evaluation.is_simulated:
        words += " Only simulated reviewers rated; this decides nothing."
    elif evaluation.is_exploratory:
        words += f" Exploratory: {record['why_beside_ledger']}."
    return words


def since_words(evaluation: GateEvaluation) -> str:
    """That reviews changed after the evaluation, where they did; the report's numbers are of the reviews of
    now.
    """
    changed = review_changes_since(evaluation).words
    if not changed:
        return ""
    sealed = evaluation.decisions.exclude(seal="").exists()
    when = "the verdict was sealed" if sealed else "this evaluation"
    return (
        f"Reviews changed after {when}: {changed}. The gate's verdict on {evaluation.candidate} uses the"
        f" reviews as they were on {time_of(evaluation.evaluated_at)}; the other results here use the"
        " current reviews."
    )


def _conditions(evaluation: GateEvaluation) -> Table:
    rows: list[list[Cell]] = [
        [result["words"], STATES[result["state"]], _number(result), result["reason"]]
        for result in evaluation.record["results"]
    ]
    columns = [Column("Condition"), Column("State"), Column("Estimate"), Column("Why")]
    number = f", evaluation {evaluation.number}" if evaluation.number else ""
    note = (
        f"Each condition one-sided at {evaluation.level:.2g}{number}. SHA-256 of the evaluation:"
        f" {evaluation.body_hash}; of its reviews: {evaluation.reviews_digest}."
    )
    return Table("gate", f"Conditions, {evaluation.candidate}", columns, rows, note)


def _number(result: dict[str, object]) -> str:
    found = result["measure"]
    if not isinstance(found, dict):
        return ""
    condition = result["condition"]
    is_share = isinstance(condition, dict) and condition["kind"] in _SHARES
    column = Column("Estimate", "share" if is_share else "number", is_measure=True)
    return in_words(Measure(**found), column).together


def signatures_section(campaign: Campaign) -> Iterator[Block | None]:
    """Every decision, newest first: who signed what, when, on which seal."""
    decisions = campaign.decisions.select_related("candidate", "decided_by").order_by("-id")
    if not decisions:
        yield paragraph("There is no decision on this campaign.")
    for decision in decisions:
        yield _signature(decision)


def _signature(decision: Decision) -> Block | None:
    simulated = " (on simulated reviews)" if decision.is_simulated else ""
    person = decision.decided_by
    role = role_at(decision.project, person, decision.created_at) if person is not None else ""
    by = f"{person or 'a former member'}{f', {role}' if role else ''}"
    return facts(
        [
            ("Decision", f"{decision.candidate}: {decision.get_verdict_display().lower()}{simulated}"),
            ("Signed by", by),
            ("When", time_of(decision.created_at)),
            ("Note", decision.note),
            ("Seal of the dossier", decision.seal or "none: it signs no gate evaluation"),
            (
                "Dossier",
                (
                    f"decision {decision.pk} of the project {decision.project.slug}; checked by "
                    "python -m evalapp.dossier FILE --seal SEAL"
                    if decision.seal
                    else ""
                ),
            ),
        ]
    )


def time_of(when: dt.datetime) -> str:
    """A time as documents have it, with its zone."""
    return format_date(timezone.localtime(when), "j F Y, H:i T")
