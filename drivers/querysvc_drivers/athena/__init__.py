"""Amazon Athena's API over the core."""

from querysvc_drivers.athena.operations import AthenaServices, athena_service

__all__ = ["AthenaServices", "athena_service"]
