"""Configure Airflow for one machine: environment variables, users and passwords in the state folder of this checkout."""

import json
import secrets
from pathlib import Path

from realframe.permissions import create_private_file, load_secret, open_private_folder, update_private_text
from realframe.runs.git_dvc import checkout_environment as code_environment
from realframe.settings import Settings

# name and role in Airflow's simple auth manager, which is for one machine; docker-compose.yml uses another auth manager
USERS = {"admin": "admin", "reviewer": "op", "demo": "op"}
PASSWORDS_FILE = "passwords.json"


def airflow_home(settings: Settings) -> Path:
    """Return the folder of Airflow's state."""
    return settings.state_dir / "airflow"


def airflow_environment(settings: Settings, port: int = 8080) -> dict[str, str]:
    """Return the environment variables for every Airflow process of this checkout."""
    home = open_private_folder(airflow_home(settings))
    create_private_file(home / "airflow.db")
    return {
        **code_environment(settings.root),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.root / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS_FILE),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": load_secret(home / "jwt_secret"),
        "REALFRAME_ROOT": str(settings.root),
        "REALFRAME_HOME": str(settings.state_dir),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # evidence is a few small files
        # CoreFoundation's fork check kills forked tasks on a Mac
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }


def load_passwords(settings: Settings) -> dict[str, str]:
    """Return each user's password; create missing ones at random."""

    def add_missing(text: str) -> str:
        passwords: dict[str, str] = json.loads(text or "{}")
        missing = {name: secrets.token_urlsafe(9) for name in USERS if name not in passwords}
        return json.dumps(passwords | missing) if missing else text

    return dict(json.loads(update_private_text(airflow_home(settings) / PASSWORDS_FILE, add_missing)))
