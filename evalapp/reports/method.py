"""The method paragraph of a report."""

import platform
from collections.abc import Sequence
from importlib import metadata

from evalapp.analysis.agreement import measures as agreement
from evalapp.analysis.comparison import differences
from evalapp.analysis.comparison.candidates import Comparison
from evalapp.analysis.pairwise.pairs import PairResults, PairRow, StrengthRow
from evalapp.analysis.tables.table_sources import LiveTables
from evalapp.campaigns.imported_records import words_of_left_out
from evalapp.campaigns.models import Campaign, ItemChoice, Method
from evalapp.measure import Measure
from evalapp.stats.correlation import RESAMPLED_KENDALL
from evalapp.stats.populations import Population

SOFTWARE = (
    "evalapp",
    "django",
    "numpy",
    "scipy",
    "scikit-learn",
    "sacrebleu",
    "rouge-score-rs",
    "altair",
    "typst",
)


def banner(campaign: Campaign, comparison: Comparison, *, view: str) -> str:
    """The design in a line, as the comparison's page has it above its numbers; ``view``: its filter."""
    design = comparison.design
    overlap = (
        f"{campaign.overlap}–{campaign.overlap_more}" if campaign.overlap_more else str(campaign.overlap)
    )
    parts = [
        _size(design.items, len(comparison.rows), overlap),
        (
            ""
            if campaign.compares
            else f"{design.reviews} of {campaign.reviews_total} reviews, by {design.reviewers}"
        ),
        "blind" if campaign.is_blind else "models shown",
        "" if campaign.is_imported else f"reference {'shown' if campaign.shows_reference else 'hidden'}",
        f"{campaign.dataset_version}, {campaign.get_split_display().lower()}",
        f"campaign {campaign.get_state_display().lower()}",
        "imported ratings" if campaign.is_imported else "",
        words_of_left_out(campaign),
        "simulated reviews" if design.is_simulated else "",
        f"filtered: {view}" if view else "",
    ]
    return " · ".join(part for part in parts if part)


def _size(items: int, candidates: int, overlap: str) -> str:
    counted = ((items, "item"), (candidates, "candidate"), (overlap, "reviewer"))
    return " × ".join(f"{number} {noun}{'' if str(number) == '1' else 's'}" for number, noun in counted)


def method_paragraphs(tables: LiveTables) -> list[str]:
    judged = tables.judged
    campaign, comparison = tables.originals.campaign, tables.comparison
    paragraphs = [_items(campaign, comparison), _reviewing(campaign)]
    if judged is not None:
        paragraphs.append(_pairs_paragraph(judged))
    elif comparison.design.reviews:
        paragraphs += [
            _means_paragraph(comparison),
            _differences_paragraph(tables),
            _agreement_paragraph(tables),
        ]
        if not tables.severity.reason:
            paragraphs.append(
                "Severity-adjusted scores come from a many-facet ordinal model (item, candidate, reviewer,"
                " criterion) fitted to all scale criteria together with the rubric's weights."
            )
    paragraphs.append(_software())
    return [text for text in paragraphs if text]


def _items(campaign: Campaign, comparison: Comparison) -> str:
    chosen = {
        ItemChoice.ALL: "All examples of the split were used",
        ItemChoice.RANDOM: "Examples were sampled at random",
        ItemChoice.STRATIFIED: f"Examples were sampled at random, stratified by “{campaign.stratify_by}”",
    }[ItemChoice(campaign.item_choice)]
    left_out = ", those without every candidate's output left out" if campaign.leaves_out_incomplete else ""
    return (
        f"{chosen}{left_out}: {comparison.design.items} items of {campaign.dataset_version} "
        f"({campaign.get_split_display().lower()} split), each with the output of "
        f"{len(comparison.rows)} candidates. The seed of choice and order is {campaign.seed}."
    )


def _reviewing(campaign: Campaign) -> str:
    if campaign.is_imported:
        return (
            "The ratings were given in another system and imported; how they were collected is not"
            " known here."
        )
    task_words = {
        Method.POINTWISE: "rated every candidate's answer to an item one by one, in random order",
        Method.PAIRWISE: "compared two answers side by side, sides random and balanced",
        Method.RANKING: "put answers in order, positions random and balanced",
    }[Method(campaign.method)]
    more = (
        f", and {campaign.overlap_share}% of the items {campaign.overlap_more}"
        if campaign.overlap_more
        else ""
    )
    blind = "did not see which model wrote what" if campaign.is_blind else "saw which model wrote what"
    reference = "with the reference beside it" if campaign.shows_reference else "without the reference"
    checks = [
        f"{campaign.gold_share}% gold items" if campaign.gold_share else "",
        f"{campaign.repeat_share}% hidden repeats" if campaign.repeat_share else "",
        f"{campaign.calibration_items} calibration items" if campaign.calibration_items else "",
    ]
    found = ", ".join(each for each in checks if each)
    return (
        f"Reviewers {task_words}, by {campaign.rubric_version}. Each item was to have {campaign.overlap} "
        f"reviewer{'' if campaign.overlap == 1 else 's'}{more}. They {blind}, {reference}."
        + (f" Reviewers were checked with {found}, which no result counts." if found else "")
    )


def _means_paragraph(comparison: Comparison) -> str:
    mean = next((row.total for row in comparison.rows if row.total.defined), None)
    return (
        f"Results are about {comparison.design.population_words}, on {comparison.design.items_words}:"
        f" {_method_words(comparison)}."
        f" Intervals are at 95%{_signed(mean)}. N/A is left out and counted."
    )


def _method_words(comparison: Comparison) -> str:
    unit = "group" if comparison.design.groups < comparison.design.items else "item"
    if comparison.design.population == Population.PANEL:
        return (
            "a candidate's score is the mean of the reviewers' own means, each with the same weight, with the"
            f" bounds of Gaffke and Learned-Miller over {unit}s, and differences have CR2 errors by {unit}"
        )
    return (
        "a candidate's score is the mean over items of item means, with Student's t on the variances of a"
        " mixed model (REML), reviewers a sample like the items"
    )


def _differences_paragraph(tables: LiveTables) -> str:
    if tables.reference is None or not tables.pairs:
        return ""
    found = next((pair for pair in tables.pairs if pair.difference.difference.defined), None)
    return (
        f"Differences from {tables.label(tables.reference)} are paired by item and blocked by reviewer; p is"
        f" two-sided, adjusted by Holm over all {len(tables.pairs)} comparisons; a difference is called"
        f" significant under {differences.SIGNIFICANT:g}. Permutations: {differences.PERMUTATIONS:,}, seed"
        f" {differences.SEED}{_signed(found.difference.difference if found else None)}."
    )


def _agreement_paragraph(tables: LiveTables) -> str:
    return (
        "Agreement is Krippendorff's alpha, ordinal for scales and nominal otherwise, over outputs with two"
        f" ratings or more; its intervals are percentile bootstraps over outputs with {agreement.REPLICATES}"
        f" replicates, seed {differences.SEED}."
        + (
            f" Correlations with {tables.metric.label} are Spearman's over all outputs, within items and"
            " between candidates, and Kendall's tau-b and Pearson's over all outputs; pairs ranked alike are"
            " an accuracy with tie calibration. Their intervals are clustered by item, with as many"
            " replicates and the same seed; those within items are Student's t over items, and Kendall's of"
            f" more than {RESAMPLED_KENDALL} outputs come from the items' influences."
            if tables.metric is not None
            else ""
        )
    )


def _pairs_paragraph(judged: PairResults) -> str:
    counted = "count a tie as half and leave “both bad” out"
    if judged.is_ranking:
        counted = "use the pairs of each ranking, without ties"
    return (
        f"Shares of wins {counted}{_signed(_first(judged.pairs, 'share'))}; strengths are Bradley–Terry's, 0"
        f" being an average candidate{_signed(_first(judged.strengths, 'strength'))}. The share for the"
        f" answer shown first is of the preferences for one of two{_signed(judged.first_side)}. Intervals of"
        " all three are over items, for these reviewers. Agreement is Krippendorff's alpha of preferences"
        " counted in both orientations, so the order of the candidates does not"
        f" matter{_signed(judged.alpha)}."
    )


def _first(rows: Sequence[PairRow | StrengthRow], name: str) -> Measure | None:
    """All of a column are made alike, so that one signs for them."""
    return next((getattr(row, name) for row in rows), None)


def _signed(measure: Measure | None) -> str:
    return f" ({measure.signature})" if measure is not None else ""


def _software() -> str:
    return f"Software: {', '.join(versions(SOFTWARE))}, Python {platform.python_version()}."


def versions(names: Sequence[str]) -> list[str]:
    """Each distribution with its version; those that are not installed are left out."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found
