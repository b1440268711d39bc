SELECT system, provider, spec, unmatched_files, missing_cases FROM systems WHERE run = $run ORDER BY position;
