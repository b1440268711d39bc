"""Human studies: which pairs are shown, blind ballots, sealed tickets, durable votes.

`define` writes a study down, `sampling` picks what a rater sees next, `tickets` seals what leaves the
process, `pictures` prepares the bytes, `service` puts them together, `http` puts the service on a port and
`simulate` plays raters of known taste. What votes mean is for `evalkit.preference`.
"""
