"""Build the wheels, install each in an empty environment with the versions of ``uv.lock``, and print the installed sizes.

Run it as ``make size``.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ("realframe_detect", "realframe")


def find_uv() -> str:
    """Return the uv of this checkout, or that of the machine."""
    own = ROOT / ".realframe" / "uv" / "bin" / "uv"
    return str(own) if own.exists() else shutil.which("uv") or "uv"


def build_wheels(target: Path) -> dict[str, Path]:
    """Build the wheel of each distribution from this source; return the files by name."""
    for folder in (ROOT, ROOT / "packaging" / "detect"):
        _run_uv("build", "--wheel", "--out-dir", str(target), str(folder))
    return {name: next(target.glob(f"{name}-*.whl")) for name in DISTRIBUTIONS}


def install_wheel(wheel: Path, environment: Path) -> Path:
    """Install a wheel in a new environment, with the versions of ``uv.lock``; return the environment's Python."""
    constraints = environment.with_suffix(".txt")
    _run_uv("export", "--frozen", "--no-hashes", "--no-emit-project", "--no-dev", "--output-file", str(constraints))
    _run_uv("venv", "--python", ">=3.11,<3.13", str(environment))
    python = environment / "bin" / "python"
    _run_uv("pip", "install", "--python", str(python), "--constraints", str(constraints), str(wheel))
    return python


def measure_size(folder: Path) -> int:
    """Return the bytes of all files in a folder, without compiled modules: those are written when Python runs."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")


def _run_uv(*arguments: str) -> None:
    subprocess.run([find_uv(), "--quiet", *arguments], cwd=ROOT, check=True)  # noqa: S603


def main() -> None:
    """Print the size of each distribution with all that it depends on."""
    with tempfile.TemporaryDirectory() as temporary:
        for name, wheel in build_wheels(Path(temporary)).items():
            environment = Path(temporary) / f"{name}.venv"
            install_wheel(wheel, environment)
            installed, packed = measure_size(environment) / 1e9, wheel.stat().st_size / 1e6
            print(f"{name.replace('_', '-')}: {installed:.1f} GB installed; its own wheel has {packed:.1f} MB", flush=True)
            shutil.rmtree(environment)


if __name__ == "__main__":
    main()
