UPDATE staged SET fault = 'criterion', detail = criterion
WHERE fault IS NULL AND criterion NOT IN (SELECT unnest($known));
