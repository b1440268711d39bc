-- Embeddings by space (everything that decides the numbers) and key (what was embedded, and how it was shown).
-- `sum` is the CRC-32 of key and vector: a value that the disk has changed is worked out again.
CREATE TABLE IF NOT EXISTS embeddings (
    space TEXT NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (space, key)
);
