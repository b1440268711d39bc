SELECT count(*) FILTER (NOT withdrawn), count(*) FILTER (withdrawn)
FROM (SELECT DISTINCT study, ballot, criterion, withdrawn FROM chosen_rankings)
