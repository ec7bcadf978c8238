from django import template

from evalapp.runs.programs import model_programs

register = template.Library()


@register.simple_tag
def why_not_runnable() -> str:
    """Why no training or generation can run here; empty where they can."""
    return model_programs.why_not_runnable()
