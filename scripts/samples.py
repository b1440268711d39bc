"""Make the sample report and its screenshot again: reports/samples/demo.html and docs/images/report.png.

    python scripts/samples.py

Runs `evalkit demo` in an empty folder and needs chromium for the screenshot.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "reports" / "samples" / "demo.html"
SCREENSHOT = ROOT / "docs" / "images" / "report.png"
SIZE = (1280, 1330)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)


def make_report(folder: Path) -> None:
    """The demo, reported briefly."""
    for arguments in (
        ["demo", "--workspace", str(folder / "w")],
        ["report", "--definition", "brief", "--workspace", str(folder / "w"), "--output", str(SAMPLE)],
    ):
        subprocess.run([sys.executable, "-m", "evalkit", *arguments], check=True, cwd=folder)
    SAMPLE.with_suffix(".json").unlink()


def take_screenshot(folder: Path) -> None:
    """The top of the report, in few colours so that the file is small."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is needed for the screenshot: apt-get install chromium")
    picture = folder / "report.png"
    options = [
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={SIZE[0]},{SIZE[1]}",
        f"--screenshot={picture}",
    ]
    subprocess.run([chromium, *FLAGS, *options, SAMPLE.as_uri()], check=True, timeout=120)
    shot = Image.open(io.BytesIO(picture.read_bytes())).convert("RGB")
    shot.quantize(200).save(SCREENSHOT, optimize=True)


def main() -> None:
    SAMPLE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evalkit-samples-") as folder:
        make_report(Path(folder))
        take_screenshot(Path(folder))
    print(f"{SAMPLE.relative_to(ROOT)}: {SAMPLE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
