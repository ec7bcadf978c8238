"""Pages with several forms, of which the URL selects one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from evalapp.core.errors import MissingError


@dataclass(frozen=True)
class FormChoice:
    """``answer`` returns the response to a valid post, or the page's context with ``form``."""

    key: str
    label: str
    lede: str
    answer: Callable[[Any], HttpResponseBase | dict[str, Any]]


def answer_with_choice(
    request: HttpRequest, template: str, choices: Sequence[FormChoice], *, parameter: str
) -> HttpResponseBase:
    """Answer with the form that the URL names, else the first; the template gets ``choice`` and
    ``choices``.
    """
    named = request.GET.get(parameter, choices[0].key)
    chosen = next((each for each in choices if each.key == named), None)
    if chosen is None:
        allowed = ", ".join(each.key for each in choices)
        raise MissingError(f"There is no such form. Use one of {allowed} as “{parameter}”.")
    answer = chosen.answer(request)
    if isinstance(answer, HttpResponseBase):
        return answer
    links = [
        {"label": each.label, "href": f"?{parameter}={each.key}", "on": each is chosen} for each in choices
    ]
    context = {"choice": chosen, "choices": links, **answer}
    has_errors = answer["form"].is_bound and answer["form"].errors
    return render(request, template, context, status=400 if has_errors else 200)
