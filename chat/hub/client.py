"""Talks to the hub by `huggingface_hub`, and tells what goes wrong in plain words.

Importing this module takes 31 MB and most of a second: `PullTable` does it when somebody pulls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chat.domain.errors import ChatError, InvalidInput, PullFailed
from chat.hub.choice import HubFile
from chat.hub.hub import ConnectionLost, Listing, Stream
from chat.hub.names import HubName

# Read by the library when it is imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub import errors as hub_errors
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # lent by its submodules, as its guides say
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    from huggingface_hub.utils import httpx  # the library's own, whichever version that is

LOOKUP_TIMEOUT_S = 10.0
# Without a byte for so long a connection is given up, and the download taken up again.
READ_TIMEOUT_S = 30.0
_LICENSE_TAG = "license:"


class HubClient:
    """The `Hub` at `url`."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._token: str | bool = token or False  # False: not the one of whoever runs the server either
        self._api = HfApi(self.url, token=self._token, library_name="parley", library_version="1")

    def list_files(self, name: HubName) -> Listing:
        """See `Hub.list_files`."""
        try:
            info = self._api.model_info(
                name.repo, revision=name.revision, files_metadata=True, timeout=LOOKUP_TIMEOUT_S
            )
            return _listing(info)
        except (httpx.HTTPError, hub_errors.OfflineModeIsEnabled) as exc:
            raise self._told(exc, name.repo) from exc
        except hub_errors.HFValidationError as exc:
            raise InvalidInput(f"“{name.repo}” is no name of a repository.", field="name") from exc
        except (ValueError, KeyError, TypeError) as exc:  # a page for people, from something in between
            raise PullFailed(
                f"What answers at {self.url} is not a model hub.",
                hint="Check PARLEY_HUB_URL and the network.",
            ) from exc

    @contextmanager
    def open(self, repo: str, commit: str, path: str, start: int) -> Iterator[Stream]:
        """See `Hub.open`."""
        url = hf_hub_url(repo, path, revision=commit, endpoint=self.url)
        headers = build_hf_headers(token=self._token, library_name="parley", library_version="1")
        headers["Accept-Encoding"] = "identity"  # the ranges and the size are those of the file
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=LOOKUP_TIMEOUT_S)
        try:
            with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    response.read()  # the words for the error
                hf_raise_for_status(response)
                yield Stream(start if response.status_code == 206 else 0, response.iter_bytes())
        except httpx.TransportError as exc:
            raise ConnectionLost(_reason(exc)) from exc
        except (httpx.HTTPError, hub_errors.OfflineModeIsEnabled) as exc:
            raise self._told(exc, repo) from exc

    def _told(self, error: Exception, repo: str) -> ChatError:
        page = f"{self.url}/{repo}"
        if isinstance(error, hub_errors.OfflineModeIsEnabled):
            return PullFailed(
                "Downloads are switched off by HF_HUB_OFFLINE.", hint="Unset it, then try again."
            )
        if isinstance(error, hub_errors.GatedRepoError):
            return PullFailed(
                f"{repo} is given only to those who accepted its terms.",
                hint=f"Accept them at {page}, then set PARLEY_HUB_TOKEN to a token of your account there.",
            )
        if isinstance(error, hub_errors.RevisionNotFoundError | hub_errors.RemoteEntryNotFoundError):
            return PullFailed(f"{repo} has no such file or revision any more.", hint=f"Look at {page}.")
        if isinstance(error, hub_errors.RepositoryNotFoundError):
            return PullFailed(
                f"There is no repository {repo} on the hub, or it is private.",
                hint="Check the name; for a private one set PARLEY_HUB_TOKEN.",
            )
        if isinstance(error, hub_errors.HfHubHTTPError):
            return _told_by_status(error.response.status_code)
        return PullFailed(
            f"The hub at {self.url} cannot be reached: {_reason(error)}.",
            hint="Check the network; behind a proxy set HTTPS_PROXY.",
        )


def _listing(info: ModelInfo) -> Listing:
    files = [
        HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "")
        for file in info.siblings or ()
    ]
    if not info.sha:
        raise ValueError("no commit")
    licenses = [tag.removeprefix(_LICENSE_TAG) for tag in info.tags or () if tag.startswith(_LICENSE_TAG)]
    return Listing(info.sha, ", ".join(licenses), tuple(files))


def _told_by_status(status: int) -> PullFailed:
    if status in (401, 403):
        return PullFailed("The hub refuses the token.", hint="Check PARLEY_HUB_TOKEN and what it may read.")
    if status == 429:
        return PullFailed("The hub gets too many requests from here.", hint="Try again in some minutes.")
    return PullFailed(f"The hub answers with an error ({status}).", hint="Try again in some minutes.")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
