"""What must survive a restart: queries, work groups, keys, saved statements, audit."""
