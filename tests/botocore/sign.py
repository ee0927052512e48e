"""Signs a request by botocore, as of a given time; runs in the virtual
environment of tests/botocore/install. Reads JSON from stdin: method, url,
headers, body, stamp (20260102T030405Z), region, service, access_key,
secret_key, token (or null). Writes the header Authorization."""

import datetime
import json
import sys
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

given = json.load(sys.stdin)
request = AWSRequest(given["method"], given["url"], given["headers"],
                     given["body"])
signer = botocore.auth.SigV4Auth(
    Credentials(given["access_key"], given["secret_key"], given["token"]),
    given["service"], given["region"])
then = datetime.datetime.strptime(given["stamp"], "%Y%m%dT%H%M%SZ")
with mock.patch.object(botocore.auth, "get_current_datetime",
                       return_value=then):
    signer.add_auth(request)
print(request.headers["Authorization"])
