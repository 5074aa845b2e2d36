"""Digest the code of each stage into ``build/code/<stage>.sha256``, which is the only code dependency of that stage in dvc.yaml."""

import sys
from collections.abc import Sequence
from pathlib import Path

from realframe import artifacts
from realframe.caching.code_digest import CodeTree
from realframe.files import write_text


def main(stages: Sequence[str] = ()) -> None:
    """Run the stage. With names of stages, write the digests of these only; a name without a module is left out."""
    tree = CodeTree.at(Path())
    names = {file.stem for file in Path("pipelines").glob("*.py")} - {"__init__", Path(__file__).stem}
    for stage in sorted(names & set(stages or names)):
        write_text(artifacts.CODE_DIGESTS / f"{stage}.sha256", tree.digest(f"pipelines.{stage}") + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
