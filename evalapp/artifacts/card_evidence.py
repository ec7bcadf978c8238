"""The card's section on evaluation: metrics, human scores, gates, decisions."""

from collections.abc import Iterator
from typing import Any

from evalapp.artifacts.card_text import code, escaped, joined, table
from evalapp.artifacts.evidence import CampaignEvidence, Evidence
from evalapp.decisions.models import Decision
from evalapp.gates.models import GateEvaluation
from evalapp.measure import Measure
from evalapp.registry.models import ModelVersion


def metadata_of(version: ModelVersion, evidence: Evidence) -> dict[str, Any]:
    """The hub's ``model-index``: metrics and real reviewers' scores, by dataset."""
    results = []
    for each in evidence.campaigns:
        metrics = [*_metric_entries(each), *_human_entries(each)]
        if metrics:
            data = each.campaign.dataset_version
            dataset = {
                "type": "private",
                "name": f"{data}, {each.campaign.split}",
                "revision": data.content_hash,
            }
            results.append({"task": {"type": "text-generation"}, "dataset": dataset, "metrics": metrics})
    return {"model-index": [{"name": version.label, "results": results}]} if results else {}


def _metric_entries(each: CampaignEvidence) -> Iterator[dict[str, Any]]:
    if each.row is None or each.comparison is None:
        return
    labels = {metric.name: metric.label for metric in each.comparison.metrics}
    for name, measure in each.row.metrics.items():
        if measure.value is not None:
            yield {"type": name, "name": labels.get(name, name), "value": round(measure.value, 6)}


def _human_entries(each: CampaignEvidence) -> Iterator[dict[str, Any]]:
    if each.row is None or each.comparison is None or each.comparison.design.is_simulated:
        return
    for cell in each.row.human:
        if cell.mean.value is not None:
            name = f"{cell.criterion.name}, rated by people"
            yield {"type": f"human_{cell.criterion.key}", "name": name, "value": round(cell.mean.value, 6)}


def evidence_sections(evidence: Evidence) -> Iterator[str]:
    """Markdown blocks about evaluation, gates and decisions."""
    if any(each.row is not None or each.preferences for each in evidence.campaigns):
        yield "## Evaluation"
    for each in evidence.campaigns:
        yield from _campaign(each)
    if evidence.evaluations or evidence.decisions:
        yield "## Gates and decisions"
        yield "\n".join(
            f"- {line}"
            for line in (*map(_evaluation, evidence.evaluations), *map(_decision, evidence.decisions))
        )
    given = [event for event in evidence.aliases if event.alias]
    if given:
        yield "\n".join(
            f"- {event.event.at:%d %B %Y}: made the {escaped(event.alias)}"
            + (f" by decision {event.decision.pk}" if event.decision else "")
            for event in given
        )


def _campaign(each: CampaignEvidence) -> Iterator[str]:
    campaign = each.campaign
    if each.is_withheld or (each.row is None and not each.preferences):
        return
    yield (
        f"### Campaign “{escaped(campaign.name)}” on {escaped(campaign.dataset_version)},"
        f" {escaped(campaign.split)}"
    )
    if each.preferences:
        won = [
            (escaped(one.other), str(one.wins), str(one.losses), str(one.ties)) for one in each.preferences
        ]
        yield table(("against", "preferred", "the other preferred", "ties"), won)
        return
    assert each.row is not None and each.comparison is not None  # noqa: PT018 - checked above
    design = each.comparison.design
    submitted = design.assignments_submitted
    who = "simulated reviewers" if design.is_simulated and not design.is_mixed else "reviewers"
    mixed = ", people and simulated ones together" if design.is_mixed else ""
    yield (
        f"{design.items:,} items, {design.reviewers:,} {who}{mixed}, {design.reviews:,} reviews of"
        " all candidates"
        + (
            "."
            if submitted is None
            else f"; {submitted:,} of {design.assignments_total:,} assignments submitted."
        )
        + (" **Simulated: no human gave these reviews.**" if design.is_simulated else "")
    )
    if each.freshness is not None and each.freshness.computed_at is not None:
        since = each.freshness.reviews_since
        behind = f"; {since:,} of these reviews are newer" if since else ""
        yield f"Results as of {each.freshness.computed_at:%d %B %Y, %H:%M} UTC{behind}."
    rows = [(escaped(cell.criterion.name), *_measured(cell.mean)) for cell in each.row.human]
    rows += [("Total, 1 to 5", *_measured(each.row.total))]
    yield table(("reviewers say", "value", "95% interval", "n", "signature"), rows)
    metrics = [(escaped(named.label), *_measured(named.measure)) for named in each.metrics]
    if metrics:
        yield table(("metrics say", "value", "95% interval", "n", "signature"), metrics)


def _measured(measure: Measure) -> tuple[str, str, str, str]:
    if measure.value is None:
        return (
            f"undefined: {escaped(measure.reason)}",
            "",
            f"{measure.n:,}",
            code(escaped_code(measure.signature)),
        )
    interval = (
        f"{measure.low:.3f} to {measure.high:.3f}" if measure.low is not None else escaped(measure.note)
    )
    return f"{measure.value:.3f}", interval, f"{measure.n:,}", code(escaped_code(measure.signature))


def escaped_code(text: str) -> str:
    """Code for a table cell, where “|” would end the cell and a backtick the code."""
    return text.replace("|", " · ").replace("`", "'")


def _evaluation(evaluation: GateEvaluation) -> str:
    kinds = joined(
        [
            word
            for word, is_so in (
                ("exploratory", evaluation.is_exploratory),
                ("simulated", evaluation.is_simulated),
            )
            if is_so
        ]
    )
    return (
        f"{evaluation.evaluated_at:%d %B %Y}: the gate {escaped(evaluation.campaign_gate.gate)} says"
        f" “{evaluation.get_verdict_display().lower()}” in"
        f" “{escaped(evaluation.campaign_gate.campaign.name)}”{f' ({kinds})' if kinds else ''}; record"
        f" {code(evaluation.body_hash)}"
    )


def _decision(decision: Decision) -> str:
    seal = f"; sealed {code(decision.seal)}" if decision.seal else ""
    simulated = ", on simulated reviews" if decision.is_simulated else ""
    note = f": {escaped(decision.note)}" if decision.note else ""
    return (
        f"{decision.created_at:%d %B %Y}: decided “{decision.get_verdict_display().lower()}” on "
        f"“{escaped(decision.campaign.name)}”{simulated}{seal}{note}"
    )
