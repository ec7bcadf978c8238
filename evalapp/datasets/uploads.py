"""An upload is refused at its first bytes, before the rest of it is written anywhere."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from evalapp.datasets.files import HEAD_BYTES, format_by_name, recognise
from evalapp.datasets.formats import FileProblemError


class RefusingUploadHandler(FileUploadHandler):
    """First of the handlers: looks at the name and at the first chunk, and lets good files pass.

    After a refusal ``problem`` says why, and the rest of the body is read and thrown away, so that the
    browser gets to see the answer.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.problem = ""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        try:
            format_by_name(self.file_name or "")
        except FileProblemError as error:
            self._refuse(error)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start == 0:
            try:
                recognise(self.file_name or "", raw_data[:HEAD_BYTES])
            except FileProblemError as error:
                self._refuse(error)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The file itself is the next handler's."""

    def _refuse(self, error: FileProblemError) -> None:
        self.problem = str(error)
        raise StopUpload(connection_reset=False) from error
