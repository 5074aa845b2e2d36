"""Folders and files of one user: their modes from creation on, corrections, and what is refused."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realframe.errors import SetupError
from realframe.permissions import (
    create_private_file,
    find_open_paths,
    is_replaceable_by_others,
    load_secret,
    open_private_folder,
    write_private_text,
)
from realframe.settings import Settings

OTHER_USER = 65534  # nobody
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "umask 000"], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    previous = os.umask(request.param)
    yield
    os.umask(previous)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_folder_and_its_missing_parents_are_private(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / "a" / "b")
    assert [mode(folder) for folder in (settings.state_dir, settings.uploads_dir, tmp_path / "a")] == [0o700] * 3


def test_secrets_and_databases_are_private_without_a_later_chmod(tmp_path: Path) -> None:
    """The audit hook counts every chmod: one for each lock file, which is empty, so the other modes are those of the creation."""
    script = """
import os, sys
from pathlib import Path
os.umask(0)
changes = []
sys.addaudithook(lambda event, arguments: changes.append(arguments) if event == "os.chmod" else None)
from realframe.permissions import create_private_file, load_secret, write_private_text
from realframe.services import airflow_home
from realframe.settings import Settings
settings = Settings(root=Path(sys.argv[1]), home=Path(sys.argv[1]) / "state")
airflow_home.airflow_environment(settings)
airflow_home.load_passwords(settings)
load_secret(settings.state_dir / "session.key")
create_private_file(settings.state_dir / "mlflow.db")
write_private_text(settings.state_dir / "text", "text")
print(len(changes))
"""
    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    paths = list((tmp_path / "state").rglob("*"))
    assert {path.name for path in paths} >= {"session.key", "passwords.json", "jwt_secret", "airflow.db", "mlflow.db", "text"}
    assert {mode(path) for path in paths if path.is_file()} == {0o600}
    assert {mode(path) for path in paths if path.is_dir()} == {0o700}
    assert int(result.stdout.splitlines()[-1]) == sum(path.suffix == ".lock" for path in paths)


def test_processes_that_start_together_get_the_same_secrets(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from realframe.permissions import load_secret
from realframe.services.airflow_home import airflow_environment, load_passwords
from realframe.settings import Settings
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    settings = Settings(root=Path(sys.argv[1]), home=Path(sys.argv[1]) / str(number))
    secret, passwords = load_secret(settings.state_dir / "session.key"), load_passwords(settings)
    print(secret, passwords, airflow_environment(settings)["AIRFLOW__API_AUTH__JWT_SECRET"])
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert len(printed[0]) == 20
    assert printed[0] == printed[1] == printed[2]
    assert len(set(printed[0])) == 20
    assert [load_secret(tmp_path / str(number) / "session.key") for number in range(20)] == [line.split()[0] for line in printed[0]]


def test_an_open_folder_and_open_secrets_of_before_are_closed_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    (state / "session.key").write_text("a secret of before")
    (state / "session.key").chmod(0o644)
    assert find_open_paths(state, state / "session.key", state / "missing") == [state, state / "session.key"]
    assert load_secret(Settings(root=tmp_path, home=state).state_dir / "session.key") == "a secret of before"
    assert (mode(state), mode(state / "session.key")) == (0o700, 0o600)
    assert f"{state} was open to other users (mode 0755); it is now 0700" in caplog.text
    assert f"{state / 'session.key'} was open to other users (mode 0644)" in caplog.text


@needs_root
@pytest.mark.parametrize(
    ("create", "use"),
    [
        (lambda path: path.mkdir(0o777), open_private_folder),
        (lambda path: path.mkdir(0o700), open_private_folder),
        (lambda path: path.touch(0o666), create_private_file),
        (lambda path: path.touch(0o600), load_secret),
    ],
    ids=["open folder", "private folder", "database", "secret"],
)
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, create: Callable[[Path], None], use: Callable[[Path], object]) -> None:
    path = tmp_path / "theirs"
    create(path)
    os.chown(path, OTHER_USER, OTHER_USER)
    before = path.stat()
    with pytest.raises(SetupError, match=f"belongs to the user {OTHER_USER}, not to {os.geteuid()}.*REALFRAME_HOME"):
        use(path)
    assert path.stat().st_mode == before.st_mode


@needs_root
def test_a_link_of_another_user_is_refused_and_an_own_one_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    assert open_private_folder(link) == link
    assert mode(target) == 0o700
    os.chown(link, OTHER_USER, OTHER_USER, follow_symlinks=False)
    with pytest.raises(SetupError, match=f"is a symbolic link that the user {OTHER_USER} owns"):
        open_private_folder(link)


def test_a_secret_that_is_a_link_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("not a secret")
    (tmp_path / "session.key").symlink_to(victim)
    with pytest.raises(SetupError, match=r"session\.key: is a symbolic link"):
        load_secret(tmp_path / "session.key")
    with pytest.raises(SetupError, match="is a symbolic link"):
        create_private_file(tmp_path / "session.key")
    write_private_text(tmp_path / "session.key", "replaces the link, not its target")
    assert victim.read_text() == "not a secret"


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(SetupError, match="state: cannot be opened as a folder"):
        open_private_folder(tmp_path / "state")


def test_a_folder_that_others_can_replace_is_found(tmp_path: Path) -> None:
    parent = tmp_path / "shared"
    state = open_private_folder(parent / "state")
    for parent_mode, is_replaceable in ((0o755, False), (0o777, True), (0o775, True), (0o1777, False)):
        parent.chmod(parent_mode)
        assert is_replaceable_by_others(state) is is_replaceable
