"""The one way a request is refused: an HTTP status and one sentence that says what is allowed."""

from http import HTTPStatus

from cryodevice.errors import CryodeviceError


class RefusedError(CryodeviceError):
    """A request that is not carried out; nothing has changed.

    Args:
        message: One sentence, with what is allowed in it.
        status: HTTP status.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status
