-- The names of `vote_names` numbered anew, together with those that only rankings know.
CREATE OR REPLACE TEMP TABLE vote_systems AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::USMALLINT AS n FROM (
    SELECT name FROM vote_systems UNION SELECT system FROM chosen_rankings WHERE NOT withdrawn);

CREATE OR REPLACE TEMP TABLE vote_cases AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS n FROM (
    SELECT name FROM vote_cases UNION SELECT prompt FROM chosen_rankings WHERE NOT withdrawn AND prompt IS NOT NULL);

CREATE OR REPLACE TEMP TABLE vote_raters AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS n FROM (
    SELECT name FROM vote_raters UNION SELECT rater FROM chosen_rankings WHERE NOT withdrawn AND rater IS NOT NULL);
