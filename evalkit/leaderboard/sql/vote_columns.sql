SELECT DISTINCT unnest(map_keys(extra)) AS name FROM votes WHERE list_contains($studies, study) ORDER BY name
