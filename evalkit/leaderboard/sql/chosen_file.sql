-- The votes of a Parquet file as `evalkit votes export` writes it, read where it lies.
CREATE OR REPLACE TEMP VIEW chosen_votes AS
SELECT left_system, right_system, answer, rater, "case" AS prompt
FROM read_parquet(getvariable('votes_file'))
