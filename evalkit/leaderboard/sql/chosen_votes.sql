-- The votes a board is about, one row per vote and slice. `slices` is what `$by` says of a vote; a vote may be in
-- several (tags) and is then there once for each.
CREATE OR REPLACE TEMP TABLE chosen_votes AS
SELECT left_system, right_system, answer, rater, weight, propensity, slice,
    (dense_rank() OVER (ORDER BY slice) - 1)::INTEGER AS slice_number,
    -- What was compared with what: the same two pictures, whichever side each was on.
    CASE WHEN "case" IS NOT NULL THEN (dense_rank() OVER (ORDER BY suite, "case",
        least(left_system, right_system), greatest(left_system, right_system),
        least(left_trial, right_trial), greatest(left_trial, right_trial)) - 1)::INTEGER ELSE -1 END AS unit,
    -- What has no case of its own shares nothing with other votes.
    CASE WHEN coalesce(nullif(cluster, ''), "case") IS NOT NULL
         THEN coalesce(suite, '') || '/' || coalesce(nullif(cluster, ''), "case") END AS prompt
FROM (
    -- Where pairs were shown evenly, chances only tell how far the round had come.
    SELECT v.* REPLACE (CASE WHEN s.sampling <> 'balanced' THEN v.pair_propensity END AS propensity), unnest(CASE $by
        WHEN '' THEN ['']
        WHEN 'tag' THEN coalesce(c.tags, string_split(v.extra['tags'], ','))
        WHEN 'category' THEN [v.category] WHEN 'suite' THEN [v.suite] WHEN 'case' THEN [v."case"]
        WHEN 'criterion' THEN [v.criterion] WHEN 'rater' THEN [v.rater] WHEN 'study' THEN [v.study]
        ELSE [v.extra[$by]] END) AS slice
    FROM votes v
    LEFT JOIN studies s ON s.study = v.study
    LEFT JOIN cases c ON $by = 'tag' AND c.run = s.run AND c.suite = v.suite AND c."case" = v."case"
    WHERE list_contains($studies, v.study) AND ($criterion IS NULL OR v.criterion = $criterion)
        AND ($category IS NULL OR v.category = $category)
        AND NOT v.withdrawn AND v.left_system <> v.right_system
        AND v.answer IN ('left', 'right', 'tie', 'both_bad')
)
WHERE slice IS NOT NULL
ORDER BY t, ballot, criterion
