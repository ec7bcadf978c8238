from django import template

from evalapp.runs.programs import model_programs

register = template.Library()


@register.simple_tag
def why_not_runnable() -> str:
    """The reason why this installation cannot train or generate; empty if it can."""
    return model_programs.why_not_runnable()
