"""Configure Airflow for one machine: environment variables, users and passwords in the state folder of this checkout."""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from realframe.permissions import create_private_file, load_secret, open_private_folder, update_private_text
from realframe.runs.git_dvc import checkout_environment as code_environment
from realframe.settings import Settings

ROLES = {"analyst": "viewer", "reviewer": "user", "admin": "admin"}
"""The role in Airflow for each role of the web page: a viewer only reads, a user also triggers DAGs and answers reviews."""
USERS = {"admin": ROLES["admin"], "reviewer": ROLES["reviewer"], "demo": ROLES["reviewer"]}
"""The name and role of the accounts that Airflow has from the start."""
PASSWORDS_FILE = "passwords.json"


def airflow_home(settings: Settings) -> Path:
    """Return the folder of Airflow's state."""
    return settings.state_dir / "airflow"


def airflow_environment(settings: Settings, port: int = 8080, users: Mapping[str, str] = USERS) -> dict[str, str]:
    """Return the environment variables for every Airflow process of this checkout; ``users`` are roles by name."""
    home = open_private_folder(airflow_home(settings))
    create_private_file(home / "airflow.db")
    return {
        **code_environment(settings.root),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.root / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": format_users(users),
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


def list_paused_dags(settings: Settings) -> list[str]:
    """Return the DAGs that somebody has paused in Airflow; empty before the first start."""
    try:
        with closing(sqlite3.connect(airflow_home(settings) / "airflow.db")) as database:
            return [dag for (dag,) in database.execute("select dag_id from dag where is_paused and not is_stale order by dag_id")]
    except sqlite3.OperationalError:  # there is no database, or it has no tables yet
        return []


def format_users(users: Mapping[str, str]) -> str:
    """Return roles by name as Airflow's setting ``simple_auth_manager_users``."""
    return ",".join(f"{name}:{role}" for name, role in users.items())


def load_passwords(settings: Settings, users: Iterable[str] = USERS) -> dict[str, str]:
    """Return the passwords in Airflow by name; create missing ones at random."""

    def add_missing(text: str) -> str:
        passwords: dict[str, str] = json.loads(text or "{}")
        missing = {name: secrets.token_urlsafe(9) for name in users if name not in passwords}
        return json.dumps(passwords | missing) if missing else text

    return dict(json.loads(update_private_text(airflow_home(settings) / PASSWORDS_FILE, add_missing)))
