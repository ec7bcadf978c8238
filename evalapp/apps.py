from django.apps import AppConfig


class EvalappConfig(AppConfig):
    name = "evalapp"
    verbose_name = "evalapp"

    def ready(self) -> None:
        from evalapp.core import checks  # noqa: F401 - registers the system checks
        from evalapp.scoring import receivers  # noqa: F401 - connects the receivers
