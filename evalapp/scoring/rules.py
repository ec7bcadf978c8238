"""Stored rule checks as the rules they define."""

from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.core.names import has_visible
from evalapp.metrics.rules import Rule, RuleError, rule_from_dict


def read_rule(name: str, kind: str, params: dict[str, Any]) -> Rule:
    """The rule a definition describes. Raises InvalidError naming the field that is wrong."""
    for field in ("name", "kind"):
        if field in params:
            message = f"“{field}” stands beside the params, not among them."
            raise InvalidError(message, fields={field: [message]})
    for field, value in params.items():
        for number, text in enumerate(value if isinstance(value, list) else [value], start=1):
            if isinstance(text, str) and not has_visible(text):
                which = f"Text {number}" if isinstance(value, list) else "The text"
                message = f"{which} holds nothing that can be seen; write what is to be looked for."
                raise InvalidError(message, fields={field: [message]})
    try:
        return rule_from_dict({**params, "kind": kind, "name": name})
    except RuleError as error:
        field = error.field or "params"
        raise InvalidError(
            f"{str(error)[:1].upper()}{str(error)[1:]}.", fields={field: [str(error)]}
        ) from error
