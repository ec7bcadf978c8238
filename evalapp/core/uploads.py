"""Uploads: which URLs accept large ones, and how they are stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpResponse


def takes_imports(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Mark a view of a project whose forms may be as large as `IMPORT_MAX_BYTES`, from who
    may write there.
    """
    view.takes_imports = True  # type: ignore[attr-defined]  # a function may bear any attribute
    return view


class YieldingUploadHandler(TemporaryFileUploadHandler):
    """Streams into a temporary file, as Django's own does, and gives its room back where it cannot be
    written.

    Django leaves that file to the garbage collector: on a full disk it would stand in the way of the next,
    smaller upload.
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
            # What is still in memory cannot be written either; the file is removed all the same.
            with suppress(OSError):
                self.file.close()
            raise
