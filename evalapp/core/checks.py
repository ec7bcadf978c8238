"""System checks of settings that Django does not make."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register()
def secret_key_is_real(app_configs: Any, **kwargs: Any) -> list[Error]:
    if not settings.DEBUG and len(settings.SECRET_KEY) < 32:
        return [
            Error(
                "The secret key is a placeholder.",
                hint="Delete the file named by EVALAPP_SECRET_KEY_FILE; a new key is made at the next start.",
                id="evalapp.E001",
            )
        ]
    return []
