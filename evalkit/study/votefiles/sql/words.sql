-- How the words of a file are read. A time is seconds, milliseconds or microseconds since 1970, or ISO 8601; one
-- without an offset is UTC.
CREATE TEMP MACRO number(x) AS TRY_CAST(x AS DOUBLE);

CREATE TEMP MACRO moment(x, n) AS CASE
    WHEN n IS NULL THEN TRY_CAST(x AS TIMESTAMPTZ)::TIMESTAMP
    ELSE make_timestamp(TRY_CAST(n * CASE WHEN abs(n) >= 1e14 THEN 1 WHEN abs(n) >= 1e11 THEN 1e3 ELSE 1e6 END AS BIGINT)) END;

CREATE TEMP MACRO verdict(x) AS CASE
    WHEN x IN ('left', 'model_a', 'a') THEN 'left'
    WHEN x IN ('right', 'model_b', 'b') THEN 'right'
    WHEN x IN ('tie', 'draw') THEN 'tie'
    WHEN x IN ('both_bad', 'bothbad', 'both bad', 'tie (bothbad)', 'tie (both bad)') THEN 'both_bad'
    WHEN x = 'skip' THEN 'skip' END;

CREATE TEMP MACRO is_list(x) AS CASE WHEN json_valid(x) THEN json_type(x) = 'ARRAY' ELSE false END;

-- A list of words, such as tags, as words with commas between.
CREATE TEMP MACRO plain(x) AS CASE
    WHEN x[1] = '[' AND is_list(x) THEN nullif(array_to_string(x::JSON::VARCHAR[], ','), '') ELSE x END;

CREATE TEMP MACRO is_object(x) AS CASE WHEN json_valid(x) THEN json_type(x) = 'OBJECT' ELSE false END;

CREATE TEMP MACRO facts(told, more) AS CASE
    WHEN is_object(told) AND told <> '{}' THEN map_from_entries(list_sort(map_entries(
        map_concat(told::JSON::MAP(VARCHAR, VARCHAR), coalesce(more, MAP {}::MAP(VARCHAR, VARCHAR))))))
    WHEN cardinality(more) > 0 THEN more END;
