"""The demonstration: a real data set in an embedded S3, queried through the real service."""
