"""Links that let somebody without an account see one answer: signed, for 30 days, or until the detection is deleted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from bonafide.serving.access.sessions import signing_key

LIVES = timedelta(days=30)


class Sharing:
    """Makes and reads the tokens of such links. Nothing is stored: whoever has the link has the right to look.

    Args:
        state: the folder in which the key lies that signs them, the same as for sessions.
    """

    def __init__(self, state: Path) -> None:
        self._signer = URLSafeTimedSerializer(signing_key(state), salt="share")

    def token(self, detection_id: str) -> str:
        """Return the token of a link to a detection."""
        return str(self._signer.dumps(detection_id))

    def opened(self, token: str) -> str | None:
        """Return the detection that a token stands for; None where it is forged or too old."""
        try:
            return str(self._signer.loads(token, max_age=int(LIVES.total_seconds())))
        except BadData:
            return None


def ends() -> str:
    """Return the last day of a link that is made now, ISO 8601, UTC."""
    return (datetime.now(UTC) + LIVES).date().isoformat()
