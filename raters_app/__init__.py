"""The rater app: a Streamlit shell around one pair view, served with our own routes by one process.

`run.serve` starts it; `app` is the ASGI application; everything that matters about votes and blindness is
in `evalkit.study`.
"""
