"""querysvc: SQL over objects in S3, in place."""
