"""AWS JSON 1.1 on one port: dispatch by X-Amz-Target, SigV4, validation by botocore's models."""

from querysvc_drivers.aws_json.dispatch import AwsService, AwsWire, Caller, Document
from querysvc_drivers.aws_json.errors import AwsError
from querysvc_drivers.aws_json.router import router

__all__ = ["AwsError", "AwsService", "AwsWire", "Caller", "Document", "router"]
