"""The help: one page for each statistic."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import signed_in_view
from evalapp.analysis.help_topics import members_of, topics, with_links
from evalapp.core.errors import MissingError


@require_safe
@signed_in_view
def help_list(request: HttpRequest) -> HttpResponse:
    beginning, *others = topics().values()
    groups = [(each, members_of(each)) for each in others if not each.group]
    text = with_links(beginning.text, reverse("help_list"))
    return render(request, "analysis/help_list.html", {"text": text, "groups": groups})


@require_safe
@signed_in_view
def help_topic(request: HttpRequest, name: str) -> HttpResponse:
    topic = topics().get(name)
    if topic is None:
        raise MissingError("There is no help topic of that name. All topics are listed under Help.")
    group = topics().get(topic.group, topic)
    context = {
        "topic": topic,
        "group": group,
        "text": with_links(topic.text, reverse("help_list")),
        "others": [each for each in members_of(group) if each is not topic],
    }
    return render(request, "analysis/help_topic.html", context)
