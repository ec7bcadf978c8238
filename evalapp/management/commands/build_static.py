from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from evalapp.core.static_build import build_browser_bundle, bundle_sizes


class Command(BaseCommand):
    help = (
        "Write the charts' browser bundle where collectstatic finds it. `manage.py up` does this by itself."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        path = build_browser_bundle(settings.HOME / "build")
        whole, sent = bundle_sizes(path)
        self.stdout.write(f"{path}: {whole / 1000:.0f} kB, {sent / 1000:.0f} kB as sent")
