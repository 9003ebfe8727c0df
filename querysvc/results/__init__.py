"""Results: spooled once, then paged, streamed, encoded and published from the spool."""
