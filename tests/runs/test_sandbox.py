"""A sandbox has its own state, without the user's servers."""

from pathlib import Path

from realframe.runs.git_dvc import git, open_sandbox, without_server_variables
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings


def test_a_sandbox_has_a_state_of_its_own(checkout: Path, tmp_path: Path) -> None:
    settings = Settings(root=checkout, home=tmp_path / "state", mongodb_uri="mongodb://a.server")
    assert settings.state_dir == tmp_path / "state"
    sandbox = open_sandbox("demo", settings)
    assert sandbox.root == settings.state_dir / "demo"
    assert sandbox.state_dir == sandbox.root / ".realframe"
    assert sandbox.raw_dir.is_relative_to(sandbox.root)
    assert sandbox.mongodb_uri is None
    env = without_server_variables(airflow_environment(sandbox))
    assert env["REALFRAME_HOME"] == str(sandbox.state_dir)
    assert "MONGODB_URI" not in env


def test_opening_a_sandbox_again_updates_it_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    settings = Settings(root=checkout, home=tmp_path / "state")
    open_sandbox("demo", settings)
    sandbox = open_sandbox("demo", settings)
    assert git(sandbox.root, "rev-parse", "HEAD") == git(checkout, "rev-parse", "HEAD")
