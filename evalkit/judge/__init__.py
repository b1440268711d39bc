"""A vision-language model as a judge of pictures: what it is asked, what it may cost, what its answers mean.

Questions are trials like any others: planned with a price, sent once, kept with the money they took. The
user's page is docs/judge.md; `session` is where everything comes together.
"""
