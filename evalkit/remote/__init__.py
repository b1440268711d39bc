"""Talking to an image API that is described by data: submit, poll, result, download.

`spec` says what a description holds, `catalog` reads the files, `engine` carries one request out. What a
provider means to the rest of evalkit is for `evalkit.providers`.
"""
