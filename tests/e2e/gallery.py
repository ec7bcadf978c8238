"""A page with every component, for the browser tests: the product's addresses and one more."""

import datetime as dt

import altair as alt
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from django.utils import timezone

from evalapp.accounts.access import signed_in_view
from evalapp.accounts.forms import InvitationForm
from evalapp.accounts.models import Membership
from evalapp.core.paging import Page
from evalapp.urls import *  # noqa: F403 - the product's own addresses and handlers
from evalapp.urls import urlpatterns as product_urlpatterns
from tests.charts import samples

GALLERY = """{% extends "base.html" %}{% load components text %}
{% block title %}Gallery{% endblock %}
{% block crumbs %}<li>Campaigns</li><li>July, tone and accuracy</li>{% endblock %}
{% block heading %}July, tone and accuracy{% endblock %}
{% block lede %}20 items × 4 candidates × 3 reviewers, 84% done; blind, reference hidden.{% endblock %}
{% block actions %}<a class="button" href="#">Export CSV</a> <a class="button button-main" href="#">Train the next version</a>{% endblock %}
{% block content %}
<div class="filters"><a class="filter" aria-current="true" href="?">Everything</a><a class="filter" href="?x=1">Low tone</a><a class="filter" href="?x=2">With corrections</a></div>
<p class="buttons">{% chip "running" %} {% chip "succeeded" %} {% chip "failed" %} {% chip "paused" %} {% chip "queued" %} {% include "components/demonstration.html" %} {% progress_bar 42 240 "Rows" %} {% progress_bar 12 %} <span class="saved">Saved 12:04</span></p>
<div class="stats">{% stat "Reviews" "168" note="of 240" href="#" %}{% stat "Tone, v1" "2.3 (2.1 to 2.5)" %}{% stat "ROUGE-L, v1" "0.41" note="first of four" %}</div>
<div class="table-wrap"><table class="table">
<thead><tr><th scope="col">Candidate</th><th scope="col" aria-sort="descending"><a href="#">Tone</a></th><th scope="col">Ratings</th><th scope="col" class="right">ROUGE-L</th><th scope="col">PreferenceRow</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
<tbody>{% for row in rows %}<tr data-href="#row" tabindex="0"><th scope="row">{% candidate row.0 row.1 "#" %}</th><td>{% interval row.2 row.3 row.4 1 5 gate=4.5 %}</td><td>{% rating_bar row.5 %}</td><td class="right">{% number row.6 digits=2 %}</td><td class="number">{% relative_time when %}</td><td><button class="link">Remove<span class="visually-hidden"> {{ row.1 }}</span></button></td></tr>{% endfor %}</tbody></table></div>
{% pager keyset %}
<div class="columns"><div class="card"><h3>Answer</h3><div class="prose">{{ text|render_markdown }}</div></div><div class="card"><h3>Facts</h3><dl class="facts"><dt>Base</dt><dd>SmolLM2-135M-Instruct</dd><dt>Started by</dt><dd>Engineer, {% relative_time when %}</dd><dt>Rows</dt><dd>600 = 588 used + 9 cut + 3 dropped</dd></dl><p>{% kbd "Ctrl" "Enter" %} submits.</p><p class="buttons">{% include "components/confirm.html" with id="drop" opener="Delete…" title="Delete “July”?" text="Reviews in it go too." action="/nowhere/" button="Delete July" %}</p></div></div>
{% include "components/chart.html" with id="scatter" caption="Human tone against ROUGE-L, one point an item" spec=spec columns=columns rows=points %}
{% for id, chart in charts.items %}{% include "components/chart.html" with id=id caption=id says=chart.says spec=chart.spec columns=chart.columns rows=chart.rows %}{% endfor %}
<form class="form" method="post">{% csrf_token %}{% include "components/form.html" with form=form %}<p class="buttons"><button class="button button-main">Save</button></p></form>
{% empty "No exports yet." "#" "Export the feedback" %}
{% include "components/copy.html" with id="link" label="Link" text="https://evalapp.example/invitations/abc" %}
{% include "components/page_tabs.html" with label="Parts" links=tabs parts=tabs open_tab="Items" %}
{% endblock %}
{% block scripts %}{% include "components/chart_scripts.html" %}{% endblock %}"""

ROWS = [
    (0, "Base", 2.9, 2.6, 3.2, [2, 6, 8, 3, 1], 0.31),
    (1, "Best prompt", 3.4, 3.1, 3.7, [1, 3, 6, 8, 2], 0.33),
    (2, "v1, formal texts", 2.3, 2.1, 2.5, [6, 8, 4, 2, 0], 0.41),
    (3, "v2, house style", 4.6, 4.4, 4.75, [0, 0, 2, 5, 13], 0.30),
]
TEXT = (
    "Your portfolio grew by **4.2%**. Next step:\n\n1. Move 5% into bonds.\n2. Call us before `1 July`.\n\n>"
    " Goal: the house."
)


def _scatter() -> dict[str, object]:
    points = [
        {
            "rouge": 0.2 + 0.03 * n,
            "tone": 1 + (n * 7) % 5,
            "candidate": ROWS[n % 4][1],
            "href": f"/profile/?item={n}",
        }
        for n in range(12)
    ]
    chart = (
        alt.Chart(alt.Data(values=points), width=480, height=220)
        .mark_point()
        .encode(
            x=alt.X("rouge:Q", title="ROUGE-L"),
            y=alt.Y("tone:Q", title="Tone"),
            color=alt.Color("candidate:N", sort=[row[1] for row in ROWS]),
            shape=alt.Shape("candidate:N", sort=[row[1] for row in ROWS]),
            href="href:N",
            tooltip=["rouge:Q", "tone:Q", "candidate:N"],
        )
    )
    return chart.to_dict()


@signed_in_view
def gallery(request: HttpRequest) -> HttpResponse:
    membership = Membership.objects.select_related("project").filter(user=request.user.pk).first()
    request.membership, request.project = membership, getattr(membership, "project", None)  # type: ignore[attr-defined]
    messages.success(request, "Saved.")
    form = InvitationForm({"emails": ""}, inviter_role="owner")
    context = {
        "when": timezone.now() - dt.timedelta(hours=3),
        "rows": ROWS,
        "keyset": Page([], "", "abc"),
        "text": TEXT,
        "spec": _scatter(),
        "columns": ["ROUGE-L", "Tone"],
        "points": [(0.31, 3), (0.41, 2)],
        "charts": {f"chart-{kind}": make() for kind, make in samples.ALL.items()},
        "form": form,
        "tabs": [
            {"label": "Items", "href": "#", "current": True},
            {"label": "Reviewers", "href": "#", "current": False},
        ],
    }
    return HttpResponse(engines["django"].from_string(GALLERY).render(context, request))


urlpatterns = [*product_urlpatterns, path("gallery/", gallery)]
