"""What a new user waits for: help, import, the demo, the demo again, and how big the installation is.

    python benchmarks/first_contact.py

Runs the commands of the environment it is started in, in an empty folder. Wall seconds; the best of five for
what takes less than a second.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

LOAD = (
    "import time, evalkit.weights.torchguard as g; g.import_open_clip(); t = time.perf_counter();"
    "from evalkit.weights.mini_model import load_mini; load_mini(); print(time.perf_counter() - t)"
)


def wall(command: Sequence[str], folder: Path, times: int = 1) -> float:
    """The best wall time of a command that must succeed."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        best = min(best, time.perf_counter() - started)
    return best


def installed_gb() -> float:
    """Size of everything that is installed beside evalkit."""
    packages = Path(sysconfig.get_paths()["purelib"])
    return sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e9


def main() -> None:
    python = sys.executable
    with tempfile.TemporaryDirectory(prefix="evalkit-first-") as name:
        folder = Path(name)
        evalkit = [python, "-m", "evalkit"]
        print(f"evalkit --help            {wall([*evalkit, '--help'], folder, 5):8.2f} s")
        print(f"import evalkit            {wall([python, '-c', 'import evalkit'], folder, 5):8.2f} s")
        print(f"python alone              {wall([python, '-c', ''], folder, 5):8.2f} s")
        loaded = subprocess.run([python, "-c", LOAD], check=True, capture_output=True, text=True).stdout
        print(f"mini, loaded              {float(loaded):8.2f} s after its libraries")
        print(f"evalkit demo              {wall([*evalkit, 'demo'], folder):8.2f} s")
        print(f"evalkit demo, again       {wall([*evalkit, 'demo'], folder):8.2f} s")
        sizes = [path.stat().st_size for path in folder.rglob("*.html")]
        print(f"its report                {max(sizes) / 1e6:8.2f} MB")
    print(f"installed packages        {installed_gb():8.2f} GB")


if __name__ == "__main__":
    main()
