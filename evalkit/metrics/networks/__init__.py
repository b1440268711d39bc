"""Models that look at pictures: loading, batches, precision, and embeddings that are made once."""
