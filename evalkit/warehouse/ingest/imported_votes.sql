INSERT INTO imported_rows BY NAME
SELECT $folder AS study, * FROM read_parquet($path);
