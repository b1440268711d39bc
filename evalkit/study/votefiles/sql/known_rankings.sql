-- What earlier imports into the same study have written.
CREATE TEMP TABLE known AS
SELECT DISTINCT ballot, criterion, ranking AS answer, hash(suite, category, "case", cluster, rater, t) AS content
FROM read_parquet($files);
