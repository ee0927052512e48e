"""Verifies AWS Signature Version 4 by its specification, without code or
libraries that our programs use:
https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""

import calendar
import hashlib
import hmac
import re
import time

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?"
    r"SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})")
SKEW_MAX_S = 300
MUST_BE_SIGNED = ("host", "x-amz-date")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical(request, names):
    path, _, query = request.target.partition("?")
    parameters = "&".join(sorted(query.split("&")))
    headers = "".join(
        f"{name}:{' '.join(request.headers[name].split())}\n"
        for name in names)
    return "\n".join([request.method, path, parameters, headers,
                      ";".join(names), digest(request.body)])


def access_key(request):
    """The id of the key that signed a request; None: it is not signed."""
    match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    return match and match["key"]


def problem(request, access_key, secret_key, region, service):
    """The error in a request (of harness.receiver), or None. AWS accepts a
    doubled header if its joined values are signed; here it is an error."""
    if request.doubled:
        return f"Doubled: {', '.join(request.doubled)}"
    match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not match:
        return "IncompleteSignatureException"
    stamp = request.headers.get("x-amz-date", "")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    names = match["signed"].split(";")
    wanted = set(MUST_BE_SIGNED) | {
        name for name in request.headers if name.startswith("x-amz-")}
    if match["key"] != access_key:
        return "UnrecognizedClientException"
    if match["scope"] != scope or names != sorted(names) or \
            not wanted <= set(names):
        return "IncompleteSignatureException"
    signed_at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    if abs(signed_at - time.time()) > SKEW_MAX_S:
        return "InvalidSignatureException"
    key = ("AWS4" + secret_key).encode()
    for word in scope.split("/"):
        key = sign(key, word)
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                      digest(canonical(request, names).encode())])
    if not hmac.compare_digest(sign(key, text).hex(), match["signature"]):
        return "InvalidSignatureException"
    return None
