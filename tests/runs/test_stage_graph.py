"""The stage graph of a DAG equals that of dvc.yaml."""

import re
import subprocess
import sys
from pathlib import Path

from realframe.config import flatten, read_yaml
from realframe.runs.stage_graph import read_stages, stages_for_dag


def test_edges_follow_outputs_params_files_and_folders(root: Path) -> None:
    after = {stage.name: stage.upstream for stage in read_stages(root / "dvc.yaml")}
    assert after["digest_code"] == ()
    assert after["resolve_params"] == ("digest_code",)
    assert {"extract_frames", "resolve_params"} <= set(after["clean_frames"])
    assert {"clean_frames", "resolve_params", "split_dataset"} <= set(after["train"])


def test_edges_equal_those_of_dvc(root: Path) -> None:
    dot = subprocess.run([sys.executable, "-m", "dvc", "dag", "--dot"], cwd=root, capture_output=True, text=True, check=True).stdout
    edges = set(re.findall(r'"(\w+)" -> "(\w+)"', dot))
    assert {(before, stage.name) for stage in read_stages(root / "dvc.yaml") for before in stage.upstream} == edges


def test_a_dag_has_its_stages_and_their_dependencies_in_order(root: Path) -> None:
    prepare = [stage.name for stage in stages_for_dag(root / "dvc.yaml", "prepare_data")]
    train = [stage.name for stage in stages_for_dag(root / "dvc.yaml", "train_model")]
    assert "train" not in prepare
    assert set(train) == set(read_yaml(root / "dvc.yaml")["stages"])
    for order in (prepare, train):
        by_name = {stage.name: stage for stage in read_stages(root / "dvc.yaml")}
        assert all(order.index(before) < order.index(name) for name in order for before in by_name[name].upstream if before in order)


def test_a_new_stage_in_dvc_yaml_appears_in_the_graph(root: Path, tmp_path: Path) -> None:
    text = (root / "dvc.yaml").read_text()
    text += "\n  count_items: {cmd: wc data/splits.parquet, deps: [data/splits.parquet], outs: [count.txt], meta: {dag: prepare_data}}\n"
    (tmp_path / "dvc.yaml").write_text(text)
    added = {stage.name: stage for stage in stages_for_dag(tmp_path / "dvc.yaml", "prepare_data")}["count_items"]
    assert added.upstream == ("split_dataset",)


def test_every_parameter_is_part_of_the_run_cache_key(root: Path) -> None:
    """DVC 3.67 leaves nested keys called size and nfiles out of a run's key, and would restore what another size made."""
    named = [
        key
        for stage in read_yaml(root / "dvc.yaml")["stages"].values()
        for file in stage.get("params", [])
        for key in next(iter(file.values()))
    ]
    hidden = [key for key, _ in flatten(read_yaml(root / "params.yaml")) if key.split(".")[-1] in ("size", "nfiles")]
    for key in hidden:
        stages = [stage for stage in named if stage == key.split(".")[0]]
        assert named.count(key) >= len(stages), key
