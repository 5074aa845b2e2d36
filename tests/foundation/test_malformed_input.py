"""Malformed YAML and environment variables: one sentence that names the place and the remedy, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realframe.config import parse_overrides, read_yaml, resolve_params
from realframe.config.yaml_files import parse_yaml
from realframe.drift.drift_rules import FILE as DRIFT_RULES
from realframe.drift.drift_rules import load_drift_rules
from realframe.errors import GateError, ParamsError, RealframeError
from realframe.governance.gate_rules import PATH as GATE_RULES
from realframe.governance.gate_rules import load_gate_rules
from realframe.runs.stage_graph import read_stages
from realframe.settings import Settings

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
MALFORMED = {
    "unclosed list": (b"a: [b", "line 1, column"),
    "unclosed mapping": (b"train.x: {", "line 1, column"),
    "duplicate key": (b"a: 1\nb: 2\na: 3\n", 'duplicate key "a"'),
    "tab": (b"a:\n\tb: 1\n", "line 2, column 1"),
    "not UTF-8": (b"ok: 1\nname: caf\xe9\n", "line 2, column 10"),
    "control character": (b"a: 1\nb: \x00\n", "line 2, column 4"),
    "alias": (BOMB.encode(), "*a"),
    "recursive alias": (b"a: &a [*a]", "*a"),
    "unknown alias": (b"a: *b", "*b"),
    "list": (b"- 1\n- 2\n", "not a mapping"),
    "text": (b"only words", "not a mapping"),
    "zero": (b"0", "not a mapping"),
    "two documents": (b"--- {a: 1}\n--- {b: 2}\n", "line 2"),
    "zero as key": (b"0: 2\n", "the key 0"),
    "nothing as key": (b"~: 2\n", "the key None"),
    "number as key": (b"1: 2\n", "the key 1"),
    "number as inner key": (b"a: [{b: {true: 2}}]\n", "the key True"),
    "tag of Python": (b"a: !!python/object/apply:os.system ['true']", "line 1"),
    "impossible date": (b"a: 2026-99-99", "does not fit its type"),
    "wrong type": (b"a: !!int word", "does not fit its type"),
    "long": (b"a: 1 # " + b"x" * 1_000_000, "1,000,007 characters"),
    "deep": (b"a: " + b"[" * 60 + b"]" * 60, "nested more than 50 levels deep"),
}


def run_realframe(*arguments: str, cwd: Path | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "realframe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | variables, timeout=120)


def assert_one_sentence(result: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    assert result.returncode in (1, 2), result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_one_sentence_with_the_place(tmp_path: Path, name: str) -> None:
    data, part = MALFORMED[name]
    file = tmp_path / "params.yaml"
    file.write_bytes(data)
    with pytest.raises(ParamsError) as caught:
        read_yaml(file)
    message = str(caught.value)
    assert str(file) in message
    assert part in message
    assert "\n" not in message
    assert caught.value.hint


@pytest.mark.parametrize("name", MALFORMED)
def test_every_reader_of_yaml_refuses_it(root: Path, tmp_path: Path, name: str) -> None:
    data = MALFORMED[name][0]
    for path in (Path("params.yaml"), Path("recipes/bad.yaml"), Path(GATE_RULES), DRIFT_RULES, Path("dvc.yaml")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    readers = (
        lambda: resolve_params(tmp_path / "params.yaml", root / "recipes"),
        lambda: resolve_params(root / "params.yaml", tmp_path / "recipes", recipe="bad"),
        lambda: load_gate_rules(Settings(root=tmp_path)),
        lambda: load_drift_rules(tmp_path),
        lambda: read_stages(tmp_path / "dvc.yaml"),
    )
    for read in readers:
        with pytest.raises((ParamsError, GateError)):
            read()


def test_overrides_in_the_file_must_be_a_mapping(root: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text().replace("overrides: {}", "overrides: [1]"))
    with pytest.raises(ParamsError, match="overrides: is not a mapping"):
        resolve_params(tmp_path / "params.yaml", root / "recipes")


@pytest.mark.parametrize(
    "setting",
    ["a: [b", "train.x={", "=", "a=", "a..b=1", ".=1", "recipe=[a]", "recipe=../params", "recipe=" + "x" * 5000, "seed=.nan", "seed=[1",
     "a=*b", "a=&x [*x]", "a=2026-99-99", "train={1: 2}", "train=[[[]]]", "overrides=1", "a=\t- b", "limits.timeout_s=.inf", "a=\x07",
     "a." * 3000 + "b=1"],
)  # fmt: skip
def test_a_malformed_override_is_refused(root: Path, setting: str) -> None:
    with pytest.raises(ParamsError) as caught:
        overrides = parse_overrides([setting])
        resolve_params(root / "params.yaml", root / "recipes", recipe=overrides.pop("recipe", None), overrides=overrides)
    assert len(str(caught.value)) < 7000


@pytest.mark.parametrize("setting", ["a: [b", "train.x={", "seed=[1, 2", "recipe=\udcff"])
def test_the_command_prints_no_traceback(root: Path, setting: str) -> None:
    result = run_realframe("params", "-S", setting, cwd=root)
    assert_one_sentence(result, "params.invalid")
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("REALFRAME_WORKERS", "many"), ("REALFRAME_QUEUE_LIMIT", "0"), ("REALFRAME_KEEP_DAYS", "-1"), ("REALFRAME_UPLOAD_MAX_BYTES", "1GB")],
)
def test_a_malformed_environment_variable_is_named(root: Path, name: str, value: str) -> None:
    result = run_realframe("keys", "list", cwd=root, **{name: value})
    assert_one_sentence(result, name, value, "docs/settings.md")


@pytest.mark.slow
@pytest.mark.parametrize(("address", "code"), [("ftp://nowhere", "setup.incomplete"), ("http://ann:secret@127.0.0.1:9", "setup.service")])
def test_an_address_of_mlflow_that_does_not_work_is_named(root: Path, tmp_path: Path, address: str, code: str) -> None:
    variables = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "REALFRAME_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": address}
    result = run_realframe("registry", "list", cwd=root, **variables)
    assert_one_sentence(result, code, "MLFLOW_TRACKING_URI")
    assert "secret" not in result.stderr


yaml_characters = st.text(st.sampled_from(list("ab1:- \t\n[]{},&*!?|>%@`'\"#.=~<\x00\x85\ufeff\ud800é")), max_size=40)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(yaml_characters)
@example("a: !!binary '$'")
@example("!!omap [1]")
@example("? {a: b}\n: c")
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "text", "hint")
    except ParamsError as error:
        assert "\n" not in str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | yaml_characters.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        parse_yaml(data, "bytes", "hint")
    except ParamsError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["seed", "train", "train.head", "tune.space", "extract.sampling", "balance.kinds", "recipe"]), value=yaml_characters
)
def test_any_override_is_resolved_or_refused(root: Path, key: str, value: str) -> None:
    try:
        overrides = parse_overrides([f"{key}={value}"])
        resolve_params(root / "params.yaml", root / "recipes", recipe=overrides.pop("recipe", None), overrides=overrides)
    except RealframeError:
        pass
