"""S3: listing, facts, the guard, planned reads and publishing (s3fs and obstore live here)."""
