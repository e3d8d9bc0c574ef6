"""MLflow's own client, where models are trained:  python -m tests.integration.support.mlflow_client URL register|champion|delete

register: three versions of the slot `oracle`, the second one the champion. champion: says which version has the alias. delete: removes
version 2.
"""

import sys

from mlflow import MlflowClient

SLOT = "oracle"
VERSIONS = ("0123456789ab", "ba9876543210", "")


def main(url: str, what: str) -> None:
    """Does one thing."""
    client = MlflowClient(url, url)
    if what == "register":
        client.create_registered_model(SLOT)
        for number, version in enumerate(VERSIONS, 1):
            tags = {"millrace.model": f"oracle_{number}", "millrace.version": version} if version else {}
            client.create_model_version(SLOT, "s3://millrace/models", tags=tags)
        client.set_registered_model_alias(SLOT, "champion", "2")
        client.set_registered_model_alias(SLOT, "challenger", "1")
    elif what == "delete":
        client.delete_model_version(SLOT, "2")
    else:
        sys.stdout.write(str(client.get_model_version_by_alias(SLOT, "champion").version))


if __name__ == "__main__":
    main(*sys.argv[1:])
