"""Dataset versions from the command line, in the object store of a running system."""

import os

import pytest

from streams.datasets.manifest import of_catalogue
from tests.acceptance.command import millrace
from tests.acceptance.system import System


@pytest.mark.data
def test_a_dataset_version_is_kept_and_listed(system: System) -> None:
    """`data keep` puts a version into S3 once and says what it is called; `data versions` lists it by that name."""
    if "MILLRACE_DATA" not in os.environ:
        pytest.skip("needs the public data: run `millrace data fetch` and set MILLRACE_DATA to its directory")
    wanted = of_catalogue("images")
    (first,) = millrace("data", "keep", "images", "--output", "json", home=system.stack.home).rows
    (again,) = millrace("data", "keep", "images", "--output", "json", home=system.stack.home).rows
    assert (first["dataset"], first["version"]) == (wanted.label, wanted.version)
    assert (again["version"], again["new"]) == (wanted.version, 0)
    assert len(first["files"]) == len(wanted.files)
    listed = millrace("data", "versions", "images", home=system.stack.home)
    assert listed.status == 0
    assert wanted.label in listed.out
