"""The streams on the project's home page."""

from django import template

from evalapp.monitoring.queries import alerting_streams

register = template.Library()
register.simple_tag(alerting_streams)
