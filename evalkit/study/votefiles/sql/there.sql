-- Rows that are there already are not written again; rows that say something else of the same ballot are wrong.
UPDATE staged SET fault = 'other', detail = staged.ballot
FROM known k
WHERE staged.fault IS NULL AND k.ballot = staged.ballot
    AND (k.content <> staged.content OR (k.criterion = staged.criterion AND k.answer <> staged.answer));

UPDATE staged SET "first" = false WHERE ballot IN (SELECT ballot FROM known);

DELETE FROM staged USING known k
WHERE staged.fault IS NULL AND k.ballot = staged.ballot AND k.criterion = staged.criterion;
