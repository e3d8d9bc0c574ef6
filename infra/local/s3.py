"""S3Proxy: objects as files below the home, behind the S3 protocol."""

from collections.abc import Sequence
from http import HTTPStatus

from infra.local import java, web
from infra.local.part import Part
from infra.local.site import Site

_HEAP_MB = 256
_CONFIGURATION = "s3proxy.conf"
"""In the folder that the server works in."""


def _prepare(site: Site) -> None:
    settings = site.settings()
    folder = site.home / "s3"
    objects = folder / "objects"
    (objects / settings.s3_bucket).mkdir(parents=True, exist_ok=True)  # a bucket is a folder
    properties = {
        "s3proxy.endpoint": settings.s3,
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": settings.s3_access_key,
        "s3proxy.credential": settings.s3_secret_key,
        "jclouds.provider": "filesystem-nio2",
        "jclouds.identity": "local",
        "jclouds.credential": "local",
        "jclouds.filesystem.basedir": str(
            objects.resolve()
        ),  # in a folder that is named from where it works, it lists nothing
    }
    configuration = folder / _CONFIGURATION
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{key}={_escaped(value)}\n" for key, value in properties.items()))


def _escaped(text: str) -> str:
    """A value as Java reads it from a file of properties: in Latin-1, with a backslash before what is none of it."""
    units = text.encode("utf-16-be")
    numbers = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return "".join(chr(one) if 0x20 < one < 0x7F and one != 0x5C else f"\\u{one:04x}" for one in numbers)


def _command(site: Site) -> Sequence[str]:
    main = ("-jar", str(site.parts.s3proxy), "--properties", _CONFIGURATION)
    return java.command(_HEAP_MB, *site.classes("s3"), *main)


def _ready(site: Site) -> bool:
    # Who asks without a key is refused, by a server that works.
    return web.status(site.ports["s3"], "/") in (HTTPStatus.OK, HTTPStatus.FORBIDDEN)


S3 = Part(name="s3", ports=("s3",), prepare=_prepare, command=_command, environ=lambda _: java.ENVIRON, ready=_ready)
