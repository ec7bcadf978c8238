"""Tags for the statistics of the analysis pages."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst, slugify
from markdown_it import MarkdownIt

from evalapp.analysis.comparison.metric_columns import metric_columns as columns_of_metrics
from evalapp.analysis.scores.filters import FIELD
from evalapp.campaigns.design import MOST_CANDIDATES
from evalapp.campaigns.imported_records import words_of_left_out
from evalapp.campaigns.models import Campaign
from evalapp.core.number_format import as_percent, as_text
from evalapp.measure import Measure
from evalapp.metrics.registry import METRICS
from evalapp.rubrics.models import Criterion
from evalapp.templatetags.components import interval, number, ranged_value, share

register = template.Library()
register.simple_tag(words_of_left_out, name="left_out_at_import")

_DOCUMENT = MarkdownIt("commonmark", {"html": False}).enable("table")


@register.simple_tag
def percent(share: float | None) -> str:
    return as_percent(share)


@register.simple_tag
def p_value(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


@register.simple_tag(takes_context=True)
def cases_url(context: template.Context, campaign: Any, **filters: Any) -> str:
    """The list of the outputs behind a number, with the page's filter and reviewer type."""
    filter_form = context.get("filter_form")
    reviewer_type = context.get("reviewer_type", "all")
    kept = filter_form.query if filter_form else ""
    return _case_list(campaign.project.slug, campaign.pk, tuple(filters.items()), reviewer_type, kept)


# Called for every number of a page.
@lru_cache(maxsize=4096)
def _case_list(
    slug: str, campaign_id: int, filters: tuple[tuple[str, Any], ...], reviewer_type: str, filter_query: str
) -> str:
    url = reverse("case_list", args=[slug, campaign_id])
    query = {name: value for name, value in filters if value not in (None, "")}
    if reviewer_type != "all":
        query["reviewer_type"] = reviewer_type
    parts = [part for part in (urlencode(query), filter_query) if part]
    return f"{url}?{'&'.join(parts)}" if parts else url


@register.simple_tag(takes_context=True)
def reviewer_mean(
    context: template.Context, campaign: Campaign, reviewer: int, criterion: Criterion, mean: float | None
) -> SafeString:
    """A reviewer's mean or share, linked to the outputs behind it; a dash for None."""
    cases = str(cases_url(context, campaign, reviewer=reviewer, criterion=criterion.key))
    return _reviewer_mean(cases, mean, criterion.rules.has_mean)


# A panel has hundreds of cells, for which a template's conditions take longer than the numbers.
@lru_cache(maxsize=4096)
def _reviewer_mean(cases: str, mean: float | None, is_scale: bool) -> SafeString:
    if mean is None:
        return mark_safe('<span class="soft">–</span>')
    shown = number(mean, digits=2) if is_scale else share(mean)
    return format_html('<a class="figure" href="{}">{}</a>', cases, shown)


@register.simple_tag(takes_context=True)
def view_query(context: template.Context) -> str:
    """The query string that shows the same view on another page of these results:
    "?reviewer_type=human&split=test", or "".
    """
    filter_form = context.get("filter_form")
    reviewer_type = context.get("reviewer_type", "all")
    parts = [
        f"reviewer_type={reviewer_type}" if reviewer_type != "all" else "",
        filter_form.query if filter_form else "",
    ]
    query = "&".join(part for part in parts if part)
    return f"?{query}" if query else ""


@register.simple_tag(takes_context=True)
def hint_cases(context: template.Context, campaign: Any, hint: Any) -> str:
    """The list of the cases behind a hint about a reviewer; of preferences, in campaigns that compare
    outputs.
    """
    if campaign.compares:
        return preferences_url(context, campaign, **hint.cases)
    return str(cases_url(context, campaign, **hint.cases))


@register.simple_tag(takes_context=True)
def preferences_url(context: template.Context, campaign: Any, **filters: Any) -> str:
    """The list of the preferences behind a number, for the page's reviewer type."""
    url = reverse("preference_list", args=[campaign.project.slug, campaign.pk])
    if context.get("reviewer_type", "all") != "all":
        filters["reviewer_type"] = context["reviewer_type"]
    return f"{url}?{urlencode(filters)}" if filters else url


@register.filter
def item(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The mapping's value for a key, or None."""
    return mapping.get(key)


@register.filter
def beside(criteria: Sequence[Criterion], means: Sequence[float | None]) -> Iterator[tuple[Criterion, Any]]:
    """Each criterion with its mean, from a row in the order of the criteria."""
    return zip(criteria, means, strict=True)


@register.filter
def shared_reason(rows: Sequence[Any], column: str = "") -> str:
    """The reason why all rows of a table, or all measures of its column, are undefined, if it is the same
    one, so that the page shows it once; else "".
    """
    reasons = {(getattr(row, column) if column else row).reason for row in rows}
    return reasons.pop() if len(reasons) == 1 else ""


@register.filter
def least_agreed(rows: Sequence[Any]) -> Any:
    """The row of the agreement table with the lowest alpha, if there are several to choose from."""
    defined = [row for row in rows if not row.reason and row.alpha.value is not None]
    return min(defined, key=lambda row: row.alpha.value) if len(defined) > 1 else None


@register.filter
def corpus_label(name: str) -> str:
    return f"{METRICS[name].label}, whole set" if name in METRICS else name


@register.filter
def render_document(text: str) -> SafeString:
    """A document of the product as HTML; each heading gets an anchor from its words."""
    tokens = _DOCUMENT.parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slugify(inline.content))
    html = str(_DOCUMENT.renderer.render(tokens, _DOCUMENT.options, {}))
    return mark_safe(html)  # noqa: S308 - our own text, html off


@register.filter
def cell_for(row: Any, key: str) -> Any:
    """The reviewers' scores of a comparison's candidate on the criterion with that key, or None."""
    return row.cell(key) if row is not None else None


@register.simple_tag
def human_mean(cell: Any, href: str = "") -> SafeString:
    """A criterion's mean with its interval on the criterion's axis, or the reason if undefined."""
    return mean_of(cell.mean, cell.criterion, href)


@register.simple_tag
def mean_of(measure: Measure, criterion: Criterion, href: str = "") -> SafeString:
    """A criterion's mean with its interval on the criterion's axis, a share in percent; or the reason if
    undefined.
    """
    return _mean(measure, criterion.rules.drawn_range, href, is_share=not criterion.rules.has_mean)


def _mean(measure: Measure, axis: tuple[float, float], href: str, *, is_share: bool = False) -> SafeString:
    if not measure.defined:
        return _undefined(measure)
    drawn = interval(measure.value, measure.low, measure.high, *axis, is_share=is_share)
    if not href:
        return drawn
    return format_html('<a class="figure" href="{}" title="{}">{}</a>', href, measure.note, drawn)


@register.simple_tag
def estimate(measure: Measure, is_count: bool = False) -> SafeString:
    """A number with its interval, its n and note in the title; or the reason if undefined.

    ``is_count``: whole, unless the interval justifies decimals.
    """
    shown = ranged_value(measure.value, measure.low, measure.high, is_count=is_count)
    return _titled(measure, shown) + without_interval(measure)


@register.simple_tag
def agreement_value(key: str, measure: Measure) -> SafeString:
    """A measure of agreement with its interval, a share in percent; or the reason if undefined."""
    if key not in ("exact", "within_one"):
        return estimate(measure)
    return _titled(measure, share(measure.value, measure.low, measure.high)) + without_interval(measure)


def _titled(measure: Measure, shown: SafeString) -> SafeString:
    if not measure.defined:
        return _undefined(measure)
    resting = f"n = {measure.n}, {measure.note}" if measure.note else f"n = {measure.n}"
    return format_html('<span title="{}">{}</span>', resting, shown)


def _undefined(measure: Measure) -> SafeString:
    return format_html('<span class="soft small">{}</span>', capfirst(measure.reason))


@register.simple_tag
def without_interval(measure: Measure) -> SafeString:
    """The reason why a number has no interval, from its note: "no interval: one item"; else empty."""
    if not measure.defined or measure.low is not None:
        return SafeString("")
    told = [part for part in measure.note.split("; ") if part.startswith("no interval")]
    return format_html(' <span class="soft small">{}</span>', told[0]) if told else SafeString("")


@register.filter
def is_many(rows: Sequence[Any]) -> bool:
    """Whether the table has more candidates than people compare side by side."""
    return len(rows) > MOST_CANDIDATES


@register.filter
def shared_note(pairs: Sequence[Any]) -> str:
    """The note of the differences if all have the same; else empty."""
    notes = {pair.adjusted.note for pair in pairs}
    return notes.pop() if len(notes) == 1 else ""


@register.filter
def leaderboard(rows: Sequence[Any]) -> list[Any]:
    """A comparison's rows; with many candidates, in descending order of the total."""
    if not is_many(rows):
        return list(rows)
    return sorted(rows, key=lambda row: -1.0 if row.total.value is None else row.total.value, reverse=True)


@register.simple_tag
def metric_columns(comparison: Any, usage: Sequence[Any]) -> Any:
    """The columns of the metrics table."""
    return columns_of_metrics(comparison, usage)


@register.simple_tag
def usage_for(usage: Sequence[Any], row: Any) -> Any:
    """Usage (tokens, time, cost) of the candidate in a comparison's row."""
    return usage_of_candidate(usage, row.candidate)


@register.simple_tag
def usage_of_candidate(usage: Sequence[Any], candidate: Any) -> Any:
    """Usage (tokens, time, cost) of a campaign's candidate."""
    return next(each for each in usage if each.candidate.pk == candidate.pk)


@register.simple_tag
def signed_interval(measure: Measure, span: float, is_significant: bool) -> SafeString:
    """A difference on an axis from -span to +span, grey if not significant."""
    return interval(measure.value, measure.low, measure.high, -span, span, gate=0, quiet=not is_significant)


@register.simple_tag
def signed_range(pair: Any) -> SafeString:
    """A pair's difference as a drawn interval, with the pair's words."""
    measure, far, quiet = pair.adjusted, pair.drawn_span, not pair.is_significant
    ends = (measure.value, measure.low, measure.high)
    return interval(*ends, -far, far, gate=0, quiet=quiet, words=pair.words)


@register.simple_tag
def subgroup_query(subgroup: Any) -> str:
    """The filter of a subgroup, as part of a query string."""
    return urlencode({f"{FIELD}{subgroup.field}": subgroup.value})


@register.simple_tag
def mean_alone(row: Any, pair: Any) -> str:
    """A candidate's mean or share on the criterion of a pair; a dash if undefined."""
    measure = row.total if pair.is_total else row.cell(pair.criterion.key).mean
    if not measure.defined:
        return format_html('<span class="soft" title="{}">–</span>', measure.reason)
    return percent(measure.value) if pair.is_share else number(measure.value, digits=1)


@register.simple_tag
def metric_means(preference: Any) -> str:
    """Both candidates' means of a metric: "0.64 against 0.31"."""
    name, is_count = preference.metric.name, preference.metric.is_count
    digits = 0 if is_count else 2
    values = (row.metrics[name].value for row in (preference.preferred, preference.other))
    return " against ".join(as_text(value, digits=digits) for value in values)


@register.inclusion_tag("analysis/adjusted.html")
def adjusted_score(score: Any, minimum: float, maximum: float) -> dict[str, Any]:
    """A severity-adjusted score with its interval and standard error, next to the raw mean."""
    return {"score": score, "minimum": minimum, "maximum": maximum}


@register.inclusion_tag("analysis/planned_number.html")
def planned_number(measure: Measure) -> dict[str, Measure]:
    """A planned number without an interval, or the reason if undefined."""
    return {"measure": measure}


@register.simple_tag(takes_context=True)
def copy_table(context: template.Context, campaign: Any, name: str) -> SafeString:
    """Links that copy a table of `analysis.named_tables`, with the choices of the page's URL."""
    return _copies(
        context["request"].GET.urlencode(), "analysis_table", campaign.project.slug, campaign.pk, name
    )


@register.simple_tag(takes_context=True)
def copy_plan(context: template.Context, name: str) -> SafeString:
    """Links that copy a table of `analysis.planner_tables` for the plan in the page's URL."""
    return _copies(context["request"].GET.urlencode(), "planner_table", context["project"].slug, name)


@register.simple_tag(takes_context=True)
def copy_judged(context: template.Context, judge: Any, campaign: Any, name: str) -> SafeString:
    """Links that copy a table of `llm_judges.tables`."""
    query = context["request"].GET.urlencode()
    return _copies(query, "judge_table", judge.project.slug, campaign.pk, judge.pk, name)


@lru_cache(maxsize=512)
def _copies(query: str, url: str, *args: Any) -> SafeString:
    links = {
        form: reverse(f"{url}_{form}", args=args) + (f"?{query}" if query else "")
        for form in ("csv", "markdown")
    }
    return render_to_string("analysis/copy_table.html", links)
