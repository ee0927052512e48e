"""The places that credentials of AWS come from: its shared file, and HTTP
endpoints of a container and of an instance."""

import json
import time

from .receiver import Answer, Receiver

SECRET = "secret/of+"  # and the id of its key
TOKEN = "IQoJb3JpZ2lu/of+"
# In the environment: no keys, and no other source than those that a test adds.
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
                  "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                  "AWS_EC2_METADATA_DISABLED": "TRUE"}


def keys(*ids):
    """For FakeKinesis.keys."""
    return {key: SECRET + key for key in ids}


def write_file(path, key, profile="verve"):
    """In place of the old file at once, as tools that rotate keys do."""
    new = path.with_suffix(".new")
    new.write_text("# written by a test\n"
                   "[default]\naws_access_key_id = AKIDOTHER\n"
                   "aws_secret_access_key = other\n\n"
                   f"[ {profile} ]\r\n"
                   f"aws_access_key_id={key}  # comment\r\n"
                   f"  AWS_SECRET_ACCESS_KEY = {SECRET}{key}\r\n"
                   "region = eu-central-1\n", encoding="ascii")
    new.rename(path)


def stamp(left_s):
    end = time.gmtime(time.time() + left_s)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", end)


def credentials(key, left_s=3600):
    """The answer with temporary credentials."""
    return Answer(body=json.dumps({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key,
        "SecretAccessKey": SECRET + key, "Token": TOKEN + key,
        "Expiration": stamp(left_s)}).encode())


class Container(Receiver):
    """Answers by respond("/role", ...)."""

    def settings(self, **more):
        return {**NO_CREDENTIALS,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url("/role?a=1"),
                **more}


class Sts(Receiver):
    """STS, which gives credentials for the token of another provider."""

    def settings(self, **more):
        return {**NO_CREDENTIALS, "AWS_ENDPOINT_URL_STS": self.url("/"),
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/x", **more}

    @staticmethod
    def answer(key):
        return Answer(body=(
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.'
            'com/doc/2011-06-15/">\n<AssumeRoleWithWebIdentityResult>\n'
            f"<Credentials>\n<SessionToken>{TOKEN}{key}</SessionToken>\n"
            f"<SecretAccessKey>{SECRET}{key}</SecretAccessKey>\n"
            f"<Expiration>{stamp(3600)}</Expiration>\n"
            f"<AccessKeyId>{key}</AccessKeyId>\n</Credentials>\n"
            "</AssumeRoleWithWebIdentityResult>\n"
            "</AssumeRoleWithWebIdentityResponse>\n").encode())


class Instance(Receiver):
    """The instance metadata service, version 2. Its role is verve-role."""
    ROLES = "/latest/meta-data/iam/security-credentials/"
    PASS = "x-aws-ec2-metadata-token"

    def __init__(self):
        super().__init__()
        self.respond("/latest/api/token", Answer(body=b"PASS=="))
        self.respond(self.ROLES, Answer(body=b"verve-role"))

    def record(self, request):
        answer = super().record(request)
        if request.path == "/latest/api/token":
            return answer if request.method == "PUT" and \
                request.headers[f"{self.PASS}-ttl-seconds"] == "21600" \
                else Answer(400)
        return answer if request.headers.get(self.PASS) == "PASS==" \
            else Answer(401)

    def settings(self, **more):
        return {**NO_CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url("/"), **more}
