"""Kinesis: a fake that verifies signatures and fails on command, and npm's
kinesalite, which has streams."""

import base64
import json
import urllib.request
from email.utils import formatdate

from . import sigv4
from .install import install
from .receiver import Answer, Receiver
from .records import epoch, wait_reported
from .sandbox import free_port
from .wait import wait_until

STREAM = "unique-request-count"
REGION = "eu-central-1"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def settings(url):
    return {"VERVE_REPORT_SINKS": "kinesis,file",
            "VERVE_KINESIS_STREAM": STREAM, "VERVE_KINESIS_REGION": REGION,
            "VERVE_KINESIS_ENDPOINT": url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def read_counts(records):
    """{window: count} of (key, data) pairs in order, each window once."""
    report = {}
    for key, data in records:
        value = json.loads(data)
        window = epoch(value["window_start"])
        assert key == value["window_start"]
        assert not report or window > max(report), f"out of order: {data}"
        report[window] = value["unique_request_count"]
    return report


class Kinesis:
    """The base of both, which have records() and url."""

    def counts(self):
        return read_counts(self.records())

    def wait_reported(self, window, seconds=15.0):
        return wait_reported(self.counts, window, seconds, pause_s=0.1)


class FakeKinesis(Receiver, Kinesis):
    """Stores records that are signed well with one of `keys`, {id: secret},
    unless fail() was called."""

    def __init__(self, port=0):
        self.taken = []
        self.problems = []
        self.keys = {ACCESS_KEY: SECRET_KEY}
        super().__init__(port)

    def record(self, request):
        answer = super().record(request)
        key = sigv4.access_key(request)
        wrong = sigv4.problem(request, key if key in self.keys else "none",
                              self.keys.get(key, ""), REGION, "kinesis")
        if wrong:
            self.problems.append(wrong)
            return self.answer(403, {"__type": wrong, "message": "no"})
        if answer is not None:
            return answer
        value = json.loads(request.body)
        assert value["StreamName"] == STREAM
        self.taken.append((value["PartitionKey"],
                           base64.b64decode(value["Data"])))
        return self.answer(200, {"SequenceNumber": str(len(self.taken)),
                                 "ShardId": "shardId-000000000000"})

    @staticmethod
    def answer(status, value):
        return Answer(status, {"Date": formatdate(usegmt=True)},
                      json.dumps(value).encode())

    def fail(self, *kinds):
        """The next requests get these (status, type); later ones succeed."""
        self.scripts["/"] = [
            self.answer(status, {"__type": kind, "message": "told so"})
            for status, kind in kinds] + [None]

    def records(self):
        return list(self.taken)


class Kinesalite(Kinesis):
    def __init__(self, sandbox):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process = sandbox.start(
            "kinesalite", [install("kinesalite", "npm"), "--port", self.port,
                           "--createStreamMs", 0])
        wait_until(self.create, "kinesalite has a stream")

    def call(self, action, **values):
        """kinesalite requires a signature, but does not verify it."""
        request = urllib.request.Request(
            self.url, json.dumps(values).encode(), {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"Kinesis_20131202.{action}",
                "X-Amz-Date": "20260102T030405Z",
                "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260102/"
                f"{REGION}/kinesis/aws4_request, SignedHeaders=host, "
                "Signature=0"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def create(self):
        try:
            self.call("CreateStream", StreamName=STREAM, ShardCount=1)
        except OSError:
            assert self.process.running(), self.process.output()
            return False
        return wait_until(lambda: self.status() == "ACTIVE", "it is active")

    def status(self):
        answer = self.call("DescribeStream", StreamName=STREAM)
        return answer["StreamDescription"]["StreamStatus"]

    def records(self):
        place = self.call("GetShardIterator", StreamName=STREAM,
                          ShardId="shardId-000000000000",
                          ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = self.call("GetRecords", ShardIterator=place)["Records"]
        return [(record["PartitionKey"], base64.b64decode(record["Data"]))
                for record in records]
