"""The design system's tags; templates/components/README.md shows each with its parameters."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from evalapp.charts.diverging import segments as diverging_segments
from evalapp.charts.theme import themed
from evalapp.core.number_format import as_number, as_percent, as_text, digits_of_interval

register = template.Library()
# Cached: a page has dozens of each, and repeats them at every request.
_written_once = lru_cache(maxsize=4096, typed=True)

_IN_SCRIPTS = {"<": "\\u003C", ">": "\\u003E", "&": "\\u0026"}

OK, WARN, BAD, BUSY, QUIET = "ok", "warn", "bad", "busy", "quiet"
TONES = {
    **dict.fromkeys(
        ("succeeded", "submitted", "accepted", "edited", "done", "release", "ready", "champion"), OK
    ),
    **dict.fromkeys(
        ("paused", "pausing", "not_yet", "pending", "cancelling", "returned", "challenger"), WARN
    ),
    **dict.fromkeys(("failed", "dead", "rejected", "do_not_release", "error"), BAD),
    **dict.fromkeys(("starting", "running", "open", "active"), BUSY),
}
CANDIDATE_SHAPES = 8


@register.simple_tag
def chip(state: str, label: str = "", tone: str = "") -> SafeString:
    """A state in words with a tone; ``tone`` (ok, warn, bad, busy, quiet) overrides the state's default.

    Without a template file: the newline at its end would show as an underlined space in a link.
    """
    return format_html(
        '<span class="chip chip-{}" data-state="{}">{}</span>',
        tone or TONES.get(str(state), QUIET),
        state,
        label or str(state).replace("_", " ").capitalize(),
    )


@register.inclusion_tag("components/progress.html")
def progress_bar(done: int, total: int | None = None, label: str = "Progress") -> dict[str, Any]:
    """A native progress bar with "n of m"; without a total it shows activity and n."""
    return {"done": done, "total": total or 0, "label": label}


@register.inclusion_tag("components/stat.html")
def stat(label: str, value: Any, note: str = "", href: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "note": note, "href": href}


@register.inclusion_tag("components/empty.html")
def empty(text: str, href: str = "", action: str = "") -> dict[str, str]:
    """An empty list: one sentence and one next action."""
    return {"text": text, "href": href, "action": action}


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, Any]:
    """Label, control, help and errors of one form field, tied together for screen readers."""
    identity = bound.auto_id
    described = [f"{identity}_hint"] if hint or bound.help_text else []
    if bound.errors:
        described.append(f"{identity}_error")
    widget = bound.field.widget
    attributes = dict(bound.field.widget.attrs)
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {
        "bound": bound,
        "control": bound.as_widget(attrs=attributes),
        "hint": hint or bound.help_text,
        "identity": identity,
        "is_group": isinstance(widget, RadioSelect | CheckboxSelectMultiple),
        "is_switch": isinstance(widget, CheckboxInput),
        "optional": not bound.field.required and not isinstance(widget, CheckboxInput),
    }


@register.inclusion_tag("components/cell_field.html")
def cell_field(bound: BoundField, row: str) -> dict[str, Any]:
    """The control and errors of a form field in a table cell; ``row`` labels it, and the column heading
    explains it.
    """
    error = f"{bound.auto_id}_error"
    attributes = {**bound.field.widget.attrs, "aria-label": f"{row}: {bound.label}"}
    if bound.errors:
        attributes |= {"aria-describedby": error, "aria-invalid": "true"}
    return {"bound": bound, "control": bound.as_widget(attrs=attributes), "error": error}


@register.inclusion_tag("components/pager.html", takes_context=True)
def pager(context: template.Context, page: Any) -> dict[str, Any]:
    """Links of a keyset page (`evalapp.core.paging.Page`); other parameters of the URL are kept."""
    request: HttpRequest = context["request"]

    def url(**changes: str) -> str:
        query = request.GET.copy()
        query.pop("after", None)
        for name, value in changes.items():
            query[name] = value
        return f"?{query.urlencode()}" if query else "?"

    return {
        "page": page,
        "first_href": url() if page.after else "",
        "next_href": url(after=page.next_after) if page.next_after else "",
    }


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, **changes: Any) -> str:
    """The current query string with some parameters changed (None or "" removes one)."""
    query = context["request"].GET.copy()
    query.pop("after", None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag
def kbd(*keys: str) -> SafeString:
    """Keys, shown to keyboard users only: ``{% kbd "Ctrl" "Enter" %}``."""
    inner = format_html_join("+", "<kbd>{}</kbd>", ((key,) for key in keys))
    return format_html('<span class="keys" aria-hidden="true">{}</span>', inner)


@register.simple_tag
def relative_time(when: datetime | None, missing: str = "never") -> SafeString:
    """How long ago ("3 min ago"), with the absolute time in the title; ``missing`` without a time."""
    if when is None:
        return format_html('<span class="soft">{}</span>', missing)
    local = timezone.localtime(when)
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        local.isoformat(timespec="seconds"),
        format_date(local, "j F Y, H:i:s T"),
        _ago(when),
    )


def _ago(when: datetime) -> str:
    seconds = (timezone.now() - when).total_seconds()
    past = seconds >= 0
    distance = abs(seconds)
    if distance < 45:
        return "just now" if past else "in a moment"
    for limit, unit, size in ((90 * 60, "min", 60), (36 * 3600, "h", 3600), (14 * 86400, "days", 86400)):
        if distance < limit:
            count = max(1, round(distance / size))
            words = f"{count} {'day' if unit == 'days' and count == 1 else unit}"
            return f"{words} ago" if past else f"in {words}"
    return format_date(timezone.localtime(when), "j M Y")


@register.simple_tag
@_written_once
def number(value: float | None, half_width: float | None = None, digits: int | None = None) -> SafeString:
    """A number with as many digits as its interval justifies; a dash for None.

    ``half_width``: half of the interval's width; 4.1667 with 0.31 is shown as 4.2.
    """
    return as_number(value, half_width=half_width, digits=digits)


@register.simple_tag
@_written_once
def ranged_value(
    value: float | None, low: float | None = None, high: float | None = None, is_count: bool = False
) -> SafeString:
    """A value with its interval, in as many digits as the interval justifies: "4.2 (3.6 to 4.4)".

    ``is_count``: a mean of whole numbers, with decimals only if the interval justifies them: "134 (122 to
    147)", but "3.4 (2.0 to 4.8)".
    """
    fallback = 0 if is_count else 2
    if value is None or low is None or high is None:
        return as_number(value, digits=fallback)
    digits = digits_of_interval((high - low) / 2, fallback)
    return format_html(
        '<span class="number">{} <span class="together">({} to {})</span></span>',
        *(as_text(shown, digits=digits) for shown in (value, low, high)),
    )


@register.simple_tag
@_written_once
def share(value: float | None, low: float | None = None, high: float | None = None) -> SafeString:
    """A share with its interval, in percent: "15% (5%–36%)"."""
    if value is None or low is None or high is None:
        return format_html('<span class="number">{}</span>', as_percent(value))
    return format_html(
        '<span class="number">{} <span class="soft together">({}–{})</span></span>',
        as_percent(value),
        as_percent(low),
        as_percent(high),
    )


@register.simple_tag
@_written_once
def interval(  # noqa: PLR0917 - a template names them
    value: float | None,
    low: float | None,
    high: float | None,
    minimum: float,
    maximum: float,
    gate: float | None = None,
    quiet: bool = False,
    is_share: bool = False,
    words: str = "",
) -> SafeString:
    """A value drawn as a dot with its interval as a line on the axis [minimum, maximum], with the numbers as
    text.

    ``quiet`` draws it grey, for a difference that is not significant. ``is_share`` shows percent;
    ``words`` replace the numbers.
    """
    if value is None:
        return _NO_INTERVAL
    span = (maximum - minimum) or 1.0

    def place(shown: float) -> str:
        share = min(1.0, max(0.0, (shown - minimum) / span))
        return f"{4 + 112 * share:.1f}"

    lines = [_AXIS]
    if gate is not None:
        lines.append(format_html(_GATE_AT, place(gate)))
    if low is not None and high is not None:
        lines.append(format_html(_FROM_TO, place(low), place(high)))
    numbers = (
        format_html("<span>{}</span>", words)
        if words
        else share(value, low, high)
        if is_share
        else format_html("<span>{}</span>", ranged_value(value, low, high))
    )
    quietly = " interval-quiet" if quiet else ""
    return format_html(_INTERVAL, quietly, mark_safe("".join(lines)), place(value), numbers)  # noqa: S308 - parts of ours


# In Python, as the bar below: a page has dozens, and a template takes five times as long.
_NO_INTERVAL = mark_safe('<span class="soft">–</span>')
_AXIS = mark_safe('<line class="interval-axis" x1="4" x2="116" y1="8" y2="8" />')
_GATE_AT = '<line class="interval-gate" x1="{0}" x2="{0}" y1="1" y2="15" />'
_FROM_TO = '<line class="interval-line" x1="{}" x2="{}" y1="8" y2="8" />'
_INTERVAL = (
    '<span class="interval{}"><svg viewBox="0 0 120 16" width="120" height="16" aria-hidden="true" '
    'focusable="false">{}<circle class="interval-dot" cx="{}" cy="8" r="3.5" /></svg> {}</span>'
)


@register.simple_tag
def candidate(position: int, label: Any = "", href: str = "", words: str = "") -> SafeString:
    """A candidate's marker: colour and shape by its position in the campaign (from 0), and its label.

    ``label``: the model version, or words; ``words`` replace its label.
    """
    return _candidate(int(position) % CANDIDATE_SHAPES + 1, str(words or label), href)


@_written_once
def _candidate(number: int, label: str, href: str) -> SafeString:
    return render_to_string("components/candidate.html", {"number": number, "label": label, "href": href})


@register.simple_tag
def rating_bar(counts: Sequence[int] | Mapping[Any, int], labels: Sequence[str] | None = None) -> SafeString:
    """A diverging bar of the number of ratings at each level, lowest first; the middle level straddles the
    centre.

    ``counts``: a sequence by level, or a mapping level → count; ``labels``: names of the levels.
    """
    if isinstance(counts, Mapping):
        levels = [str(level) for level in counts]
        numbers = [int(count) for count in counts.values()]
    else:
        numbers = [int(count) for count in counts]
        levels = [str(position + 1) for position in range(len(numbers))]
    if not sum(numbers):
        return _NO_RATINGS
    return _bar(tuple(numbers), tuple(labels or levels))


@_written_once
def _bar(numbers: tuple[int, ...], names: tuple[str, ...]) -> SafeString:
    parts = zip(diverging_segments(numbers), numbers, names, strict=True)
    summary = ", ".join(f"{name}: {shown}" for name, shown in zip(names, numbers, strict=True))
    return format_html(
        _BAR,
        summary,
        format_html_join(
            "",
            _SEGMENT,
            (
                (
                    part.tone,
                    # Each half of the drawing is 100 wide, so that stacked bars share the centre.
                    f"{100 + 100 * part.start:.2f}",
                    f"{100 * (part.end - part.start):.2f}",
                    name,
                    shown,
                    round(100 * (part.end - part.start)),
                )
                for part, shown, name in parts
            ),
        ),
    )


_NO_RATINGS = mark_safe('<span class="soft">no ratings</span>')
_BAR = (
    '<svg class="rating-bar" viewBox="0 0 200 14" width="200" height="14" preserveAspectRatio="none"'
    ' role="img" aria-label="{0}"><title>{0}</title>{1}<line class="rating-centre" x1="100" x2="100" y1="0"'
    ' y2="14" /></svg>'
)
_SEGMENT = '<rect class="rating-{}" x="{}" y="1" width="{}" height="12"><title>{}: {} ({}%)</title></rect>'


@register.simple_tag
def json_script_for_chart(value: dict[str, Any], identity: str) -> SafeString:
    """A chart's specification with the shared theme, as a script element with that id; escaped for it."""
    text = json.dumps(themed(value), cls=DjangoJSONEncoder)
    # Like Django's json_script, whose str.translate takes four times as long as the rest for a scatter plot.
    for character, escaped in _IN_SCRIPTS.items():
        text = text.replace(character, escaped)
    script = f'<script id="{escape(identity)}" type="application/json">{text}</script>'
    return mark_safe(script)  # noqa: S308 - nothing in it can end the element


@register.simple_tag
def table_rows(rows: Iterable[Iterable[Any]]) -> SafeString:
    """Table rows of plain cells; charts have hundreds, for which a template takes ten times as long."""
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return mark_safe("".join(f"<tr>{each}</tr>" for each in cells))  # noqa: S308 - every cell is escaped
