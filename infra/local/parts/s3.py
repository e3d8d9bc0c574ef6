"""S3Proxy: serves files below the home over the S3 protocol."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from infra.local.home import private
from infra.local.installation import java
from infra.local.parts import web
from infra.local.parts.part import Part
from infra.local.stack_context import StackContext

_HEAP_MB = 256
_CONFIGURATION = "s3proxy.conf"
"""File in the server's working folder."""


def _prepare(context: StackContext) -> None:
    settings = context.settings()
    folder = context.home / "s3"
    objects = folder / "objects"
    bucket = objects / settings.s3_bucket  # a bucket is a folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bucket.mkdir(parents=True, exist_ok=True)
    for entry in objects.iterdir():  # S3Proxy lets anybody list a bucket whose folder other users may read
        entry.chmod(0o700)
    properties = {
        "s3proxy.endpoint": settings.s3,
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": settings.s3_access_key,
        "s3proxy.credential": settings.s3_secret_key,
        "jclouds.provider": "filesystem-nio2",
        "jclouds.identity": "local",
        "jclouds.credential": "local",
        "jclouds.filesystem.basedir": str(objects.resolve()),  # absolute: with a relative folder it lists nothing
    }
    # Java reads the file as Latin-1, with JSON's escapes for all other characters.
    text = "".join(f"{key}={json.dumps(value)[1:-1]}\n" for key, value in properties.items())
    private.write(folder / _CONFIGURATION, text)


def _command(context: StackContext) -> Sequence[str]:
    main = ("-jar", str(context.parts.s3proxy), "--properties", _CONFIGURATION)
    return java.command(_HEAP_MB, *context.classes("s3"), *main)


def _ready(context: StackContext) -> bool:
    # A server that works refuses a request without a key.
    return web.status(context.ports["s3"], "/") in (HTTPStatus.OK, HTTPStatus.FORBIDDEN)


S3 = Part(name="s3", ports=("s3",), prepare=_prepare, command=_command, environ=lambda _: java.environ(), ready=_ready)
