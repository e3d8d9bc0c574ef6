"""The test pictures of a dataset are known by what is in them."""

import io
import tarfile

import pytest
from PIL import Image, ImageOps

from streams.datasets.manifest import BadManifest, DatasetFile, manifest
from streams.datasets.test_fingerprints import known, needed, prints

LABELS = b"filename,label,split\nx/a.png,one,train\nx/b.png,two,test\n"


def picture(shade: int, format: str = "PNG", *, mode: str = "L", invert: bool = False) -> bytes:
    """A small picture with a mark that depends on the shade."""
    image = Image.new("L", (4, 3), 9)
    image.putpixel((1, 1), shade)
    if invert:
        image = ImageOps.invert(image)
    out = io.BytesIO()
    image.convert(mode).save(out, format)
    return out.getvalue()


def idx(*shades: int) -> bytes:
    """The same pictures as an IDX file."""
    pixels = b"".join(Image.open(io.BytesIO(picture(shade))).tobytes() for shade in shades)
    return b"\0\0\x08\x03" + b"".join(number.to_bytes(4, "big") for number in (len(shades), 3, 4)) + pixels


def tar(**files: bytes) -> bytes:
    """An archive of a folder `x`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(f"x/{name}.png")
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_a_picture_of_a_row_is_found_however_it_is_packed() -> None:
    """A test picture of MNIST's form is found as any lossless file, in colour, and inverted; another picture is not."""
    held = known({"m/t10k-images-idx3-ubyte": idx(200, 100)})
    for one in (picture(200), picture(200, "BMP"), picture(100, "TIFF"), picture(100, mode="RGB")):
        assert prints(one) & held
    assert prints(picture(200, invert=True)) & held
    assert not prints(picture(201)) & held
    assert not prints(b"no picture") & held


def test_only_the_test_side_of_labels_is_held() -> None:
    """Of an archive beside a `labels.csv`, what that puts on the side of the test is held, and nothing else."""
    held = known({"cells/labels.csv": LABELS, "cells/images.tar": tar(a=picture(1), b=picture(2))})
    assert prints(picture(2)) & held
    assert not prints(picture(1)) & held


def test_a_dataset_without_known_test_files_is_not_added_to() -> None:
    """A dataset that does not say what it is tested by is not added to; one that does names the files to read."""
    files = [
        DatasetFile(f"m/{name}", "a" * 64, "", "") for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
    ]
    assert needed(manifest("m", files)) == ["m/t10k-images-idx3-ubyte"]
    with pytest.raises(BadManifest, match="nothing in it says"):
        needed(manifest("m", files[:1]))
    with pytest.raises(BadManifest, match="bytes"):
        known({"m/t10k-images-idx3-ubyte": idx(200)[:-1]})
    with pytest.raises(BadManifest, match="no test picture"):
        known({"cells/labels.csv": LABELS})
