"""A campaign's whole report as a document: what was found, how, and what it does not show."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.differences import Contradiction, find_contradiction
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.comparison.unblinding import unblinding_of
from evalapp.analysis.pairwise.pairs import PairResults
from evalapp.analysis.scores.adjudicated_scores import with_adjudicated
from evalapp.analysis.scores.filtered_scores import FilterCoverage, load_filtered, shared_items_of
from evalapp.analysis.tables.choices import chosen_metric, chosen_reference
from evalapp.analysis.tables.table_sources import LiveTables
from evalapp.campaigns.imported_records import imported_records
from evalapp.campaigns.models import CampaignState
from evalapp.charts.forest import ForestLine, means_summary
from evalapp.dossier import canonical, digest, digest_of_reviews
from evalapp.gates.manifest import review_lines
from evalapp.reports import sections
from evalapp.reports.answer import answer_section
from evalapp.reports.decision_sections import (
    conditions_section,
    gate_section,
    signatures_section,
    since_words,
    time_of,
    verdict_words,
)
from evalapp.reports.definitions import definitions
from evalapp.reports.document import Block, Document, facts, listing, notice, paragraph
from evalapp.reports.method import banner, method_paragraphs
from evalapp.reports.models import Report
from evalapp.reports.queries import view_of
from evalapp.reviews.pseudonyms import ReviewerNames

Progress = Callable[[int, str], None]
STEPS = 5
REVIEWER_TYPES = {"all": "", "human": "human reviews only", "simulated": "simulated reviews only"}


class Content(NamedTuple):
    """``data_digest`` covers all that the numbers rest on; ``is_simulated``: simulated
    reviews are among it.
    """

    document: Document
    data_digest: str
    is_simulated: bool


def content_of(report: Report, *, progress: Progress) -> Content:
    """The document on the data of this moment."""
    campaign = report.campaign
    progress(0, "Reading the reviews")
    filtered = load_filtered(view_of(campaign, report.view), reviewer_type=report.reviewer_type)
    # Numbers whatever the project shows: files outlive the accounts of who reviewed.
    originals = replace(filtered.scores, names=ReviewerNames(filtered.scores.numbers, {}))
    progress(1, "Comparing the candidates")
    comparison = compare(originals)
    contradiction = find_contradiction(originals, comparison)
    tables = LiveTables(
        originals,
        originals=originals,
        reviewer_type=report.reviewer_type,
        comparison=comparison,
        reference=chosen_reference(comparison, "", contradiction),
        metric=chosen_metric(comparison, ""),
        reviews=filtered.reviews,
    )
    view = _view_words(report, filtered.coverage)
    judged = tables.judged
    data_digest, digests = _digests(report, judged)
    document = Document(
        title=f"Evaluation report: {campaign.name}",
        project=campaign.project.name,
        made=_request_line(report),
        banner=banner(campaign, comparison, view=report.view_words),
    )
    document.section("Summary", _summary(tables, view))
    document.section("Gate", gate_section(campaign))
    document.section("Decisions and signatures", signatures_section(campaign))
    document.section("Limitations", [listing(limits(tables, view))])
    document.annex()
    document.section("Gate conditions of other candidates", conditions_section(campaign))
    progress(2, "Drawing the charts")
    _add_results(document, tables, contradiction)
    progress(3, "Method and definitions")
    document.section("Method", map(paragraph, method_paragraphs(tables)))
    document.section("Definitions", [facts(definitions(document.anchors))])
    document.section("Rubric", sections.rubric_section(campaign))
    document.section("Candidates", sections.candidates_section(tables))
    document.section("Data", [facts(digests)])
    is_simulated = comparison.design.is_simulated or bool(judged and judged.preferences.is_simulated)
    return Content(document, data_digest, is_simulated)


def _add_results(document: Document, tables: LiveTables, contradiction: Contradiction | None) -> None:
    if tables.judged is not None:
        document.section("Preferences", sections.pairs_section(tables, tables.judged))
    if tables.comparison.design.reviews:
        document.section("Reviewer scores", sections.people_section(tables))
        document.section("Differences", sections.differences_section(tables))
        document.section("Subgroups", sections.subgroups_section(tables))
        document.section("Counterfactual fairness", sections.counterfactuals_section(tables))
        document.section("Agreement between reviewers", sections.agreement_section(tables))
        document.section("Severity", sections.severity_section(tables))
        document.section("Reasons", sections.reasons_section(tables))
    document.section("Metrics", sections.metrics_section(tables, contradiction))


def _view_words(report: Report, coverage: FilterCoverage | None) -> str:
    """The filter of the report and how much that leaves; empty where nothing is left out."""
    parts = [report.view_words, REVIEWER_TYPES[report.reviewer_type]]
    words = "; ".join(part for part in parts if part)
    if coverage is None:
        return words
    return (
        f"{words} ({coverage.items} of {coverage.of_items} items, {coverage.reviews} of {coverage.of_reviews}"
        " reviews)"
    )


def _request_line(report: Report) -> str:
    return f"Report {report.pk}, asked for on {time_of(report.created_at)}"


def _summary(tables: LiveTables, view: str) -> list[Block | None]:
    """What somebody reads who reads one page."""
    campaign, comparison = tables.originals.campaign, tables.comparison
    found: list[Block | None] = []
    if comparison.design.is_simulated:
        found.append(
            notice("These results include reviews by simulated reviewers. They decide nothing.", "bad")
        )
    if view:
        found.append(
            notice(
                f"A filtered view: {view}. The filter was chosen afterwards, so the view is exploratory."
                " Gates, decisions"
                " and signatures below are of the whole campaign."
            )
        )
    campaign_gate = campaign.applied_gates.order_by("is_exploratory", "-id").first()
    evaluation = (
        campaign_gate.evaluations.select_related("candidate").order_by("-id").first()
        if campaign_gate
        else None
    )
    decision = campaign.decisions.select_related("candidate", "evaluation__candidate").order_by("-id").first()
    if evaluation is not None:
        found += [paragraph(f"The gate says of {verdict_words(evaluation)}"), notice(since_words(evaluation))]
    if decision is not None:
        found.append(
            paragraph(
                f"Decided on {time_of(decision.created_at)}: {decision}"
                f"{' (sealed)' if decision.seal else ''}."
            )
        )
        # Of an earlier evaluation than the one above.
        if decision.evaluation is not None and decision.evaluation != evaluation:
            found.append(notice(since_words(decision.evaluation)))
    found += answer_section(tables)
    totals = [
        ForestLine("Total on 1–5", tables.label(row), "", row.total)
        for row in comparison.rows
        if row.total.defined
    ]
    found.append(paragraph(means_summary(totals)))
    turned = check_simpson(tables.originals)
    if turned.found:
        found += [
            notice("Simpson’s paradox check: a difference changes direction inside subgroups."),
            listing([each.sentence for inside in turned.first for each in inside.found]),
        ]
    if turned.more:
        fields = ", ".join(inside.field for inside in turned.folded)
        found.append(paragraph(f"And {turned.more} more, inside {fields}: the results page has them all."))
    if not comparison.design.reviews and not campaign.compares:
        found.append(notice("No review has been submitted yet, so there are no human scores."))
    return found


def limits(tables: LiveTables, view: str) -> list[str]:
    """What a reader must not read into the numbers, as far as it applies here."""
    campaign, design = tables.originals.campaign, tables.comparison.design
    judged = tables.judged
    apart = shared_items_of(tables.originals)
    records = imported_records(campaign)
    reviewers = judged.reviewers if judged is not None else design.reviewers
    conditional_texts = [
        (design.is_simulated, "Simulated reviews are counted: they show nothing about real users."),
        (design.is_mixed, "People and simulated reviewers are counted together."),
        (bool(view), f"It shows a part, chosen afterwards: {view}. Other parts may differ."),
        (
            campaign.state != CampaignState.CLOSED,
            "The campaign was not closed; its reviews could still change.",
        ),
        (
            design.assignments_submitted is not None
            and design.assignments_total > design.assignments_submitted,
            f"{design.assignments_submitted} of {design.assignments_total} assignments were submitted.",
        ),
        (reviewers == 1, "One reviewer: no interval covers other reviewers, and agreement is undefined."),
        (
            apart is not None,
            (
                f"Not all candidates were rated on the same items ({apart.shared or 'none' if apart else 0}"
                " shared by all), so means may differ because of their items; differences use shared items"
                " only."
            ),
        ),
        (not campaign.is_blind, "Reviewers saw which model wrote which answer."),
        (
            campaign.shows_reference,
            "Reviewers saw the reference, which draws ratings towards metrics that compare with it.",
        ),
        (
            campaign.split in {"train", "validation"},
            f"The {campaign.get_split_display().lower()} split is development data.",
        ),
        (
            campaign.is_imported,
            "The ratings were given in another system; how they were collected is not known here.",
        ),
        (
            records is not None and bool(records.left_out),
            f"{records.words if records else ''}: they are not in these results.",
        ),
        (
            not any(True for _ in campaign.applied_gates.filter(is_exploratory=False)[:1]),
            "No gate was applied before the first review, so no verdict is valid under repeated evaluations.",
        ),
    ]
    found = [text for applies, text in conditional_texts if applies]
    trained = [tables.label(row) for row in tables.comparison.trained_on_simulated]
    if trained:
        found.append(f"Simulated reviews went into the training of {', '.join(trained)}.")
    blinding = sections.blinding_words(unblinding_of(campaign))
    return [*found, *_adjudicated(tables), *([blinding] if blinding else [])]


def _adjudicated(tables: LiveTables) -> list[str]:
    decided = with_adjudicated(tables.originals).decided
    adjudicated = tables.judged.adjudicated if tables.judged else 0
    return [
        f"{count} {what}{' was' if count == 1 else 's were'} adjudicated; the results use the scores that"
        " reviewers gave."
        for count, what in ((decided, "answer"), (adjudicated, "comparison"))
        if count
    ]


def _digests(report: Report, judged: PairResults | None) -> tuple[str, list[tuple[str, str]]]:
    """One hash over everything said and what of it is shown, and each part's as a reader can compare it."""
    campaign, reviewer_type = report.campaign, report.reviewer_type
    lines = {
        "people": [] if reviewer_type == "simulated" else review_lines(campaign, is_simulated=False),
        "simulated": (
            review_lines(campaign, is_simulated=True)
            if campaign.project.is_demonstration and reviewer_type != "human"
            else []
        ),
        "preferences": [canonical(row._asdict()) for row in judged.preferences.rows] if judged else [],
    }
    parts = {name: digest_of_reviews(given) for name, given in lines.items() if given}
    version = campaign.dataset_version
    view = {"view": report.view} if report.view else {}
    whole = digest({**parts, "dataset": version.content_hash, **view})
    words = {
        "people": "SHA-256 of the reviews, as in a gate evaluation",
        "simulated": "SHA-256 of the simulated reviews",
        "preferences": "SHA-256 of the preferences",
    }
    labelled_parts = [(f"{words[name]} ({len(lines[name])} records)", found) for name, found in parts.items()]
    return whole, [
        ("Data of this report, SHA-256", whole),
        *([("Filter", report.view)] if report.view else []),
        *labelled_parts,
        (f"SHA-256 of {version}", version.content_hash),
    ]
