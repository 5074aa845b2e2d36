"""Create and read share links, which show one detection to people without an account.

A link holds a signed token and nothing is stored. It is valid for 30 days, or until the detection is deleted.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from realframe.web.auth.sessions import load_signing_key

LIFETIME = timedelta(days=30)


class ShareLinks:
    """Create and read the tokens of share links.

    Args:
        state: the folder of the signing key, the same as for sessions.
    """

    def __init__(self, state: Path) -> None:
        self._signer = URLSafeTimedSerializer(load_signing_key(state), salt="share")

    def create_token(self, detection_id: str) -> str:
        """Return the token of a link to a detection."""
        return str(self._signer.dumps(detection_id))

    def read_token(self, token: str) -> str | None:
        """Return the id of the detection that a token belongs to; None if the token is forged or expired."""
        try:
            return str(self._signer.loads(token, max_age=int(LIFETIME.total_seconds())))
        except BadData:
            return None


def expiry_date() -> str:
    """Return the last day of a link that is created now, ISO 8601, UTC."""
    return (datetime.now(UTC) + LIFETIME).date().isoformat()
