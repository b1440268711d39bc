"""`evalkit fakes`: every provider on this machine, for rehearsing a run without paying."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app

app = make_app()


@app.command()
def fakes(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 9080,
    tls: Annotated[bool, typer.Option("--tls", help="Speak https, with a certificate of its own.")] = False,
) -> None:
    """Serve fake providers until Ctrl-C and print what to export; nothing is billed.

    Every provider of evalkit is there, with a key that works only there. Prompts may ask for faults:
    [[submit:429*2,ra=1]] is turned away twice, [[end:moderation]] is refused, [[dl:truncate]] breaks off.
    """
    from evalkit.fakes.serve import serve

    serve(port, tls=tls, say=typer.echo)
