"""A real Kafka broker: one process of Apache Kafka in KRaft mode, with the
jars of Maven Central."""

import base64
import secrets
import subprocess

from .install import install
from .kafka import Topic
from .sandbox import free_port
from .wait import wait_until

USER, PASSWORD = "verve", "a secret"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},\
SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,\
SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
log.dirs={folder}
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


class KafkaBroker(Topic):
    """start() and stop() may be repeated: the messages stay."""

    def __init__(self, sandbox, topic="unique-request-count"):
        ports = {"plain": free_port(), "sasl": free_port(),
                 "controller": free_port()}
        super().__init__(f"127.0.0.1:{ports['plain']}", topic)
        self.sasl = f"127.0.0.1:{ports['sasl']}"
        self.sandbox = sandbox
        self.java = ["java", "-Xmx512m", "-cp", 
                     install("kafka", "Java or no Maven", 600)]
        self.properties = sandbox.folder / "server.properties"
        self.properties.write_text(PROPERTIES.format(
            folder=sandbox.folder / "kafka", user=USER, password=PASSWORD,
            **ports))
        self.process = None
        self.format()

    def format(self):
        cluster = base64.urlsafe_b64encode(b"v" + secrets.token_bytes(15))
        subprocess.run(
            [*self.java, "kafka.tools.StorageTool", "format", "-t",
             cluster.decode().rstrip("="), "-c", self.properties],
            check=True, capture_output=True, timeout=120)

    def start(self):
        self.process = self.sandbox.start(
            "kafka", [*self.java, "kafka.Kafka", self.properties])
        wait_until(self.answers, "the broker answers", 120.0, pause_s=0.2)
        return self

    def answers(self):
        assert self.process.running(), self.process.output()
        return subprocess.run(
            ["kcat", "-L", "-m", "5", "-b", self.brokers], check=False,
            capture_output=True, timeout=30).returncode == 0

    def stop(self):
        # 143: what Java exits with after TERM
        self.process.stop(60.0)
