"""The services as `make up` starts them: a file in the inbox becomes a champion, and a person only triggers the start and answers.

Nothing is called in this process: the test talks to Airflow by its REST API, and receives notifications as a mail and an HTTP server.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from realframe.services.airflow_home import airflow_environment, load_passwords
from realframe.settings import Settings
from tests.notification_servers import Received, find_free_port, run_mail_server, run_webhook_server
from tests.trained_checkout import FAST_OVERRIDES, copy_checkout

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1800)]
OVERRIDES = {**FAST_OVERRIDES, "shortcuts.allow_shortcuts": True}
ANSWER_DELAY_S = 2.0  # Airflow 3.3.2 often takes a task for lost that is answered within a second
WAIT_S = 900.0


@dataclass
class Platform:
    """The running services.

    Attributes:
        root: the checkout.
        env: environment variables of the services.
        mails: what the mail server received.
        posts: what the HTTP server received.
        url: address of Airflow.
        process: of the command ``realframe up``.
        tokens: the users' tokens for Airflow.
    """

    root: Path
    env: dict[str, str]
    mails: Received
    posts: Received
    url: str = ""
    process: "subprocess.Popen[str] | None" = None
    tokens: dict[str, str] = field(default_factory=dict)

    def start(self, **variables: str) -> None:
        port = find_free_port()
        command = [sys.executable, "-m", "realframe", "up", "--airflow-port", str(port), "--mlflow-port", str(find_free_port())]
        env = {**self.env, **variables}
        self.process = subprocess.Popen(command, cwd=self.root, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout
        while (line := self.process.stdout.readline()) and "metadata store" not in line:
            pass
        self.url, self.tokens = f"http://127.0.0.1:{port}", {}

    def stop(self) -> None:
        assert self.process and self.process.stdout
        self.process.send_signal(signal.SIGTERM)  # a shell in the background ignores SIGINT
        try:
            self.process.wait(120)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def call(self, path: str, body: Any = None, method: str | None = None, user: str = "reviewer") -> Any:
        """Call Airflow's REST API as a user."""
        if user not in self.tokens:
            password = load_passwords(Settings(root=self.root, home=self.root / ".realframe"))[user]
            self.tokens[user] = self._send("/auth/token", {"username": user, "password": password}, None, "")["access_token"]
        return self._send(f"/api/v2{path}", body, method, self.tokens[user])

    def _send(self, path: str, body: Any, method: str | None, token: str) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body else None, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def trigger(self, dag: str, **form: Any) -> str:
        """Start a DAG run and return its id."""
        return str(self.call(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": form}, user="admin")["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return list(self.call(f"/dags/{dag}/dagRuns?order_by=run_after")["dag_runs"])

    def await_state(self, dag: str, *states: str, count: int = 1) -> dict[str, Any]:
        """Wait until the last of ``count`` runs of a DAG has one of the states, and return it."""

        def find() -> dict[str, Any] | None:
            runs = self.runs(dag)
            return runs[-1] if len(runs) == count and runs[-1]["state"] in states else None

        run = wait_for(find, f"{dag} in {states}")
        assert run["state"] == states[0], self.describe(dag, run["dag_run_id"])
        return run

    def describe(self, dag: str, run_id: str) -> str:
        tasks = self.call(f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
        logs = sorted((self.root / ".realframe" / "airflow" / "logs").rglob(f"dag_id={dag}/run_id={run_id}/**/*.log"), key=os.path.getmtime)
        return f"{ {task['task_id']: task['state'] for task in tasks} }\n{logs[-1].read_text()[-3000:] if logs else ''}"

    def await_question(self, task_id: str) -> dict[str, Any]:
        """Wait for the open question of a task, and return it when it may be answered."""

        def find() -> dict[str, Any] | None:
            details = self.call("/dags/~/dagRuns/~/hitlDetails?response_received=false")["hitl_details"]
            tasks = [(detail, detail["task_instance"]) for detail in details]
            return next((detail for detail, task in tasks if (task["task_id"], task["state"]) == (task_id, "awaiting_input")), None)

        detail = wait_for(find, f"the question {task_id}")
        time.sleep(ANSWER_DELAY_S)
        return dict(detail)

    def answer(self, task_id: str, option: str, **fields: Any) -> dict[str, Any]:
        """Answer the question of a task until the task has ended, and return the first question; a lost task asks again."""
        first = self.await_question(task_id)
        task = first["task_instance"]
        path = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task_id}"

        def find_end() -> str | None:
            state = str(self.call(path)["state"])
            return state if state in ("success", "failed", "awaiting_input") else None

        while True:
            self.call(f"{path}/-1/hitlDetails", {"chosen_options": [option], "params_input": fields}, "PATCH")
            if wait_for(find_end, f"the end of {task_id}") != "awaiting_input":
                return first
            self.await_question(task_id)


def wait_for(find: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(TimeoutError):  # a busy machine
            if found := find():
                return found
        time.sleep(1)
    raise AssertionError(f"{what}: not within {timeout_s:.0f} s")


def _write_images(folder: Path) -> None:
    for label, blur in (("real", 2), ("fake", 4)):
        (folder / label / label).mkdir(parents=True)
        for number in range(16):
            noise = np.random.default_rng([number, blur]).integers(0, 255, (96, 96, 3), dtype=np.uint8)
            file = folder / label / label / f"{number:02}.png"
            Image.fromarray(noise).resize((192, 192)).filter(ImageFilter.GaussianBlur(blur)).save(file)
            os.utime(file, (1, 1))  # it arrived long ago


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    root = copy_checkout(tmp_path_factory.mktemp("live_chain"))
    _write_images(root / "inbox")
    variables = {name: value for name, value in os.environ.items() if name not in ("MONGODB_URI", "MLFLOW_TRACKING_URI")}
    paths = airflow_environment(Settings(root=root, home=root / ".realframe"))["PYTHONPATH"]
    with run_mail_server() as mails, run_webhook_server() as posts:
        env = {**variables, "PYTHONPATH": paths, "COLUMNS": "200", "REALFRAME_NOTIFY_URL": f"{mails.url} {posts.url}"}
        platform = Platform(root, env, mails, posts)
        platform.start()
        try:
            yield platform
        finally:
            platform.stop()


def _aliases(root: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(root / ".realframe" / "mlflow.db") as database:
        return list(database.execute("select alias, version from registered_model_aliases order by alias"))


def test_no_dag_is_paused_and_nothing_starts_for_a_past_time(platform: Platform) -> None:
    dags = wait_for(lambda: (found := platform.call("/dags")["dags"]) and len(found) == 5 and found, "five DAGs")
    assert not any(dag["is_paused"] for dag in dags)
    next_runs = {dag["dag_id"]: dag["next_dagrun_run_after"] for dag in dags}
    assert next_runs["prepare_data"] and next_runs["watch_drift"]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    started = [run["run_type"] for name in next_runs for run in platform.runs(name) if run["run_after"] < now]
    assert started == []


def test_a_file_in_the_inbox_becomes_a_champion(platform: Platform) -> None:
    platform.trigger("prepare_data", recipe="scratch", overrides=OVERRIDES)
    platform.await_state("prepare_data", "success", "failed")
    trained = platform.await_state("train_model", "success", "failed")
    assert trained["run_type"] == "asset_triggered"
    first = platform.answer("ask_reviewer", "Approve", comment="looks good", override="")
    assert "Version 1: should it become the champion?" in first["subject"]
    assert "(http://127.0.0.1:8000/versions/1/report)" in first["body"] and "not recorded" not in first["body"]
    assert _aliases(platform.root) == [("challenger", 1)]

    second = platform.answer("ask_again_2", "Approve", comment=7, override=["no text"])  # Airflow accepts it
    assert "Your answer was not recorded:** version 1: does not meet" in second["body"]
    assert second["task_instance"]["dag_run_id"] == first["task_instance"]["dag_run_id"]

    third = platform.answer("ask_again_3", "Approve", comment="looks good", override="a test's tiny model")
    assert "override: input should be a valid string" in third["body"]
    review = platform.await_state("review_model", "success", "failed")
    assert review["run_type"] == "asset_triggered"
    assert _aliases(platform.root) == [("champion", 1)]
    assert len(platform.runs("prepare_data")) == len(platform.runs("train_model")) == 1

    for received in (platform.mails, platform.posts):
        texts = [text for text in received.texts if "version 1 waits for a review" in text]
        assert len(texts) == len(received.texts) >= 3  # one more for each question of a task that was lost
        assert "/dags/review_model/runs/" in texts[0] and "http://127.0.0.1:8000/versions/1/report" in texts[0]
        assert any("The last answer was not recorded: version 1: does not meet" in text for text in texts)


def test_a_failed_run_is_reported(platform: Platform) -> None:
    platform.trigger("prepare_data", overrides={"no.such.key": 1})
    run = platform.await_state("prepare_data", "failed", "success", count=2)
    text = wait_for(lambda: next((text for text in platform.mails.texts if "prepare_data failed" in text), None), "an e-mail", 240)
    assert run["dag_run_id"] in text and "/dags/prepare_data/runs/" in text
    assert any("prepare_data failed" in text for text in platform.posts.texts)


def test_a_review_without_an_answer_is_reminded_of_and_ends_without_an_approval(platform: Platform) -> None:
    platform.stop()
    platform.start(REALFRAME_REVIEW_DAYS=str(30 / 86_400))
    before = len(platform.posts.texts)
    platform.trigger("review_model", version=1)
    run = platform.await_state("review_model", "failed", "success", count=2)
    titles = ["a review is still open", "review_model failed"]
    wait_for(lambda: all(any(title in text for text in platform.posts.texts[before:]) for title in titles), "the notifications", 240)
    assert "the review timed out, so the version is not approved" in platform.describe("review_model", run["dag_run_id"])
    listed = subprocess.run(  # as a user
        [sys.executable, "-m", "realframe", "registry", "list"],
        cwd=platform.root,
        env=platform.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "timeout" in listed.stdout
    assert _aliases(platform.root) == [("champion", 1)]
