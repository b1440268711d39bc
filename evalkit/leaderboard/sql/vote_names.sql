-- Every name in `chosen_votes`, numbered from 0. Tables of their own, so that the planner knows how small they are.
CREATE OR REPLACE TEMP TABLE vote_systems AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::USMALLINT AS n FROM (
    SELECT left_system AS name FROM chosen_votes UNION SELECT right_system FROM chosen_votes);

CREATE OR REPLACE TEMP TABLE vote_cases AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS n FROM (
    SELECT DISTINCT prompt AS name FROM chosen_votes WHERE prompt IS NOT NULL);

CREATE OR REPLACE TEMP TABLE vote_raters AS
SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS n FROM (
    SELECT DISTINCT rater AS name FROM chosen_votes WHERE rater IS NOT NULL);

CREATE OR REPLACE TEMP TABLE vote_answers AS
SELECT unnest(['left', 'right', 'tie', 'both_bad']) AS name, unnest([0, 1, 2, 3])::TINYINT AS n;
