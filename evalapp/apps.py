import gc

from django.apps import AppConfig


class EvalappConfig(AppConfig):
    name = "evalapp"
    verbose_name = "evalapp"

    def ready(self) -> None:
        import evalapp.accounts.sign_in_audit
        import evalapp.campaigns.receivers
        import evalapp.core.checks
        import evalapp.decisions.receivers
        import evalapp.monitoring.receivers
        import evalapp.reviews.receivers
        import evalapp.scoring.receivers
        import evalapp.webhooks.receivers  # noqa: F401 - importing them connects and registers them

        # What is loaded stays, and is never looked through again (see evalapp.settings).
        gc.freeze()
        gc.enable()
