"""Chat templates from users: parsed as templates, but never rendered here."""

from jinja2 import TemplateSyntaxError, meta
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evalapp.core.errors import InvalidError
from evalapp.core.strict_json import bad_character
from hub.spec import MOST_TEMPLATE_CHARACTERS


def checked_template(text: str, *, field: str = "chat_template") -> str:
    """The template, or "" for none. Raises InvalidError for one that transformers could not use."""
    if not text.strip():
        return ""
    if len(text) > MOST_TEMPLATE_CHARACTERS:
        raise InvalidError(
            f"The template has more than {MOST_TEMPLATE_CHARACTERS:,} characters.", field=field
        )
    if bad := bad_character(text):
        raise InvalidError(f"The template has {bad}. Save it as plain text in UTF-8.", field=field)
    environment = ImmutableSandboxedEnvironment(extensions=[loopcontrols])
    # An extension of transformers that marks assistant turns, for a loss on these alone.
    plain = (
        text.replace("{% generation %}", "").replace("{%- generation %}", "").replace("{% generation -%}", "")
    )
    plain = plain.replace("{%- generation -%}", "")
    for end in (
        "{% endgeneration %}",
        "{%- endgeneration %}",
        "{% endgeneration -%}",
        "{%- endgeneration -%}",
    ):
        plain = plain.replace(end, "")
    try:
        names = meta.find_undeclared_variables(environment.parse(plain))
    except RecursionError as error:
        raise InvalidError(
            "The template is nested too deeply, or one of its expressions is too long. Simplify it.",
            field=field,
        ) from error
    except TemplateSyntaxError as error:
        raise InvalidError(
            f"The template cannot be read: line {error.lineno}: {error.message}. Give the file"
            " chat_template.jinja, or the text of chat_template in tokenizer_config.json.",
            field=field,
        ) from error
    except ValueError as error:  # jinja2 parses numbers with int(), which limits digits
        raise InvalidError(
            "The template has a number with too many digits. Shorten it.", field=field
        ) from error
    if "messages" not in names:
        raise InvalidError(
            "The template does not use “messages”, so it would write the same text for every conversation."
            " Give the template that the model was tuned with.",
            field=field,
        )
    return text
