SELECT s.trial, s.metric, s.output, s.value, s.reason
FROM latest_scores s
WHERE s.image_index = 0 AND list_contains($trials, s.trial) AND list_contains($outputs, s.metric || '/' || s.output);
