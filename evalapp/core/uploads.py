"""Uploads: which URLs accept large ones, and how they are stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpResponse


def takes_imports(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator for a project's view whose forms may be as large as `IMPORT_MAX_BYTES`, from members who may
    write there.
    """
    view.takes_imports = True  # type: ignore[attr-defined]  # a function may bear any attribute
    return view


class YieldingUploadHandler(TemporaryFileUploadHandler):
    """Streams into a temporary file like Django's handler, and removes the file if it cannot be written.

    Django leaves the file to the garbage collector; on a full disk it would block the next, smaller upload.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._yielding():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        with self._yielding():
            return super().file_complete(file_size)

    @contextmanager
    def _yielding(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # Closing fails too, since buffered data cannot be written; it still removes the file.
            with suppress(OSError):
                self.file.close()
            raise
