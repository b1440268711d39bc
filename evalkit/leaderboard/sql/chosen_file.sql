-- The votes of a Parquet file as `evalkit votes export` writes it, read where it lies. The empty row names what a
-- file may leave out. Withdrawn votes are out, as they are from the board of a study.
CREATE OR REPLACE TEMP VIEW chosen_votes AS
SELECT left_system, right_system, answer, rater, weight, criterion,
    CASE WHEN suite IS NULL AND cluster IS NULL THEN "case"
         ELSE coalesce(suite, '') || '/' || coalesce(nullif(cluster, ''), "case") END AS prompt
FROM (
    SELECT NULL::VARCHAR AS criterion, NULL::VARCHAR AS suite, NULL::VARCHAR AS cluster, NULL::DOUBLE AS weight,
        NULL::BOOLEAN AS withdrawn WHERE false
    UNION ALL BY NAME
    SELECT * FROM read_parquet(getvariable('votes_file'))
)
WHERE withdrawn IS NOT TRUE
    AND (getvariable('votes_criterion') IS NULL OR criterion = getvariable('votes_criterion'))
