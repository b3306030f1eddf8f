"""A real Kafka that asks who one is: SASL_SSL with SCRAM-SHA-512, ACLs, and an open listener for the test itself."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.local.kafka.broker import SHORT_LIVED, Broker

_STORE_PASSWORD = "changeit"  # of stores that live as long as a test

_PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secured}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/broker.p12
ssl.keystore.password={password}
ssl.key.password={password}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class SecuredBroker:
    """`broker` has the open listener; `settings` are those of a client that comes as `user`."""

    def __init__(self, port: int, secured: int, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self.ca = folder / "ca.pem"
        self._bootstrap = f"127.0.0.1:{secured}"
        self._make_keys()
        properties = _PROPERTIES.format(
            port=port, secured=secured, controller=port + 1, folder=folder.as_posix(), password=_STORE_PASSWORD
        )
        self.broker = Broker(port, folder / "data", properties, SHORT_LIVED)

    def start(self) -> None:
        self.broker.start()
        self._admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def settings(self, user: str, password: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": password,
            "KAFKA_SSL_CA_LOCATION": str(self.ca),
            "KAFKA_CREATE_TOPICS": "false",
        }

    def add_user(self, user: str, password: str) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        for done in self._admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, info, password.encode())]
        ).values():
            done.result(30)

    def allow(self, user: str, resource: ResourceType, prefix: str, operations: Sequence[AclOperation]) -> None:
        """Let `user` do `operations` on whatever begins with `prefix`."""
        wanted = [
            AclBinding(
                resource, prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*", each, AclPermissionType.ALLOW
            )
            for each in operations
        ]
        for done in self._admin.create_acls(wanted).values():
            done.result(30)

    def _make_keys(self) -> None:
        """Make an authority, and a key of the broker's that it has signed."""
        name = ["-storetype", "PKCS12", "-storepass", _STORE_PASSWORD]
        key = ["-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-validity", "30"]
        authority, broker = ["-alias", "ca", "-keystore", "ca.p12"], ["-alias", "broker", "-keystore", "broker.p12"]
        self._keytool(*key, *authority, *name, "-dname", "CN=test-ca", "-ext", "bc:c")
        self._keytool("-exportcert", *authority, *name, "-rfc", "-file", "ca.pem")
        self._keytool(*key, *broker, *name, "-dname", "CN=localhost")
        self._keytool("-certreq", *broker, *name, "-file", "broker.csr")
        extension = ["-ext", "SAN=dns:localhost,ip:127.0.0.1"]
        self._keytool(
            "-gencert", *authority, *name, "-rfc", "-infile", "broker.csr", "-outfile", "broker.pem", *extension
        )
        self._keytool("-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "broker.p12", *name)
        self._keytool("-importcert", "-noprompt", *broker, *name, "-file", "broker.pem")

    def _keytool(self, *arguments: str) -> None:
        subprocess.run(["keytool", *arguments], cwd=self._folder, check=True, capture_output=True, timeout=120)
