"""`python -m evalkit.fakes` is `evalkit fakes`."""

from __future__ import annotations

import argparse
import sys

from evalkit.fakes.serve import PORT, serve


def main() -> None:
    """Parse the two options and serve."""
    parser = argparse.ArgumentParser(prog="python -m evalkit.fakes", description="Fake providers, free.")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on, 0 for any free one")
    parser.add_argument("--tls", action="store_true", help="speak https, with a certificate of its own")
    options = parser.parse_args()
    serve(options.port, tls=options.tls, say=_say)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
