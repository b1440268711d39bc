INSERT INTO ranking_rows BY NAME
SELECT $folder AS study, * EXCLUDE (ranking), true AS imported FROM read_parquet($path);
