"""Requests made from the OpenAPI document, right and wrong ones: no 5xx, and every answer is one that it tells of.

A request that the schemas allow may still be refused with a 4xx: that a chat's name is printable, or that a prompt fits
into the context, is nothing that a schema can say.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from chat.api.docs.document import openapi_document
from tests.api.conftest import ApiServer

pytestmark = pytest.mark.slow

MAX_EXAMPLES = 8
MAX_TOKENS = 8


def operations() -> Iterator[tuple[str, str]]:
    for path, item in openapi_document()["paths"].items():
        for method, operation in item.items():
            if "501" not in operation["responses"]:  # what is not built yet says so, and no more
                yield method, path


@pytest.mark.parametrize(("method", "path"), list(operations()))
def test_no_request_breaks_what_the_document_says(api_server: ApiServer, method: str, path: str) -> None:
    operation = schemathesis.openapi.from_dict(openapi_document())[path][method.upper()]
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=MAX_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_known=st.booleans())
    def ask(case: Case, is_known: bool) -> None:
        if is_known and case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
            lead_home(case, api_server)
        case.call_and_validate(
            base_url=api_server.url,
            headers=api_server.headers,
            timeout=120,
            excluded_checks=[positive_data_acceptance],
        )

    ask()


def lead_home(case: Case, server: ApiServer) -> None:
    """Name a flow and a model that there are: else all that is made up ends in a 404."""
    for name in case.path_parameters or {}:
        if "flow" in name:
            case.path_parameters[name] = server.flow_id
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = "starter"
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if isinstance(case.body.get(name), int):
                case.body[name] = MAX_TOKENS
