"""Faults on order, the log, and HTTP itself, where the client cannot be provoked."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.dataset import DatasetHasOpenTransactionError
from foundry_dev_tools.errors.meta import FoundryAPIError

from foundry_server import FoundryServer

CATALOG = "/foundry-catalog/api/catalog/datasets"


def test_an_unknown_endpoint_is_a_404_and_a_problem_of_the_test(foundry: FoundryServer) -> None:
    headers = {"Authorization": f"Bearer {foundry.token}"}
    for method, path in (("GET", "/api/v2/datasets"), ("DELETE", CATALOG), ("GET", CATALOG)):
        told = requests.request(method, foundry.url + path, headers=headers, timeout=5)
        assert told.status_code == 404
    assert len(foundry.problems) == 3
    assert "GET /api/v2/datasets: no such endpoint" in foundry.problems
    foundry.problems.clear()


def test_a_failure_of_the_server_itself_is_a_problem_of_the_test(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.settings.page_cap = None  # type: ignore[assignment]
    with pytest.raises(FoundryAPIError) as caught:
        client.catalog.list_dataset_files(rid)
    assert caught.value.response.status_code == 500
    assert "TypeError" in foundry.problems.pop()


def test_an_error_has_the_four_fields_that_the_client_reads(foundry: FoundryServer) -> None:
    refused = requests.get(f"{foundry.url}/multipass/api/me", timeout=5)
    assert refused.status_code == 401
    assert refused.json().keys() == {"errorCode", "errorName", "errorInstanceId", "parameters"}
    assert refused.json()["errorName"] == "Default:Unauthorized"


def test_the_log_tells_what_was_asked_and_answered(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid)
    before = time.time()
    client.data_proxy.api_put_file(rid, opened, "a b", b"12345", overwrite=True)
    entry = foundry.log[-1]
    assert (entry.method, entry.status, entry.size, entry.user) == ("POST", 204, 5, "alice")
    assert entry.path.endswith("/putFile")
    assert entry.query == {"logicalPath": ["a b"], "overwrite": ["True"]}
    assert before <= entry.started <= (entry.ended or 0) <= time.time()
    assert foundry.requests("/putFile") == [entry]


def test_bodies_come_in_chunks_too(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid)

    def parts() -> Iterator[bytes]:
        yield from (b"abc", b"d" * 100_000)

    client.data_proxy.api_put_file(rid, opened, "a", parts())  # type: ignore[arg-type]
    assert foundry.log[-1].size == 100_003
    assert foundry.dump(rid).transactions[-1].files["a"] == b"abc" + b"d" * 100_000


def test_a_body_that_is_cut_short_does_nothing(foundry: FoundryServer, rid: str) -> None:
    opened = foundry.leave_open(rid)
    path = f"/foundry-data-proxy/api/dataproxy/datasets/{rid}/transactions/{opened}/putFile"
    connection = http.client.HTTPConnection(foundry.domain)
    connection.putrequest("POST", f"{path}?logicalPath=a")
    connection.putheader("Authorization", f"Bearer {foundry.token}")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"12345")
    connection.close()
    assert foundry.ended("putFile").status is None
    assert foundry.dump(rid).transactions[-1].files == {}


def test_connections_stay_open(foundry: FoundryServer) -> None:
    connection = http.client.HTTPConnection(foundry.domain)
    headers = {"Authorization": f"Bearer {foundry.token}"}
    ports = set()
    for path in ("/multipass/api/me", "/compass/api/resources?path=/none", "/multipass/api/me"):
        connection.request("GET", path, headers=headers)
        ports.add(connection.sock.getsockname())
        connection.getresponse().read()
    connection.close()
    assert len(ports) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 503])
def test_an_answer_is_given_instead_of_the_work(
    foundry: FoundryServer, client: FoundryContext, status: int
) -> None:
    fault = foundry.faults.answer(
        f"^POST {CATALOG}$", status, headers={"Retry-After": "7"}, name="Default:Busy"
    )
    with pytest.raises(FoundryAPIError) as caught:
        client.catalog.api_create_dataset("/lab/runs")
    assert type(caught.value) is FoundryAPIError
    assert caught.value.response.status_code == status
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.error_name == "Default:Busy"
    assert client.catalog.api_create_dataset("/lab/runs").status_code == 200
    assert fault.hits == 1


@pytest.mark.parametrize(("body", "sent"), [(b"<html>", b"<html>"), ({"a": 1}, b'{"a": 1}')])
def test_an_answer_has_the_body_that_is_given(
    foundry: FoundryServer, body: object, sent: bytes
) -> None:
    foundry.faults.answer("me$", 503, body=body)
    assert requests.get(f"{foundry.url}/multipass/api/me", timeout=5).content == sent


def test_a_fault_skips_some_requests_and_falls_on_so_many(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    fault = foundry.faults.answer("GET /multipass", 503, skip=1, times=2)
    told = []
    for _ in range(5):
        response = client.multipass.api_me(error_handling=False)
        told.append(response.status_code)
    assert told == [200, 503, 503, 200, 200]
    assert (fault.seen, fault.hits) == (5, 2)


def test_a_fault_falls_on_all_requests_until_it_is_cleared(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    foundry.faults.answer("/me", 503, times=None)
    assert {client.multipass.api_me(error_handling=False).status_code for _ in range(4)} == {503}
    foundry.faults.clear()
    assert client.multipass.api_me().status_code == 200


def test_a_fault_may_be_about_the_query(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid)
    foundry.faults.answer(r"putFile\?logicalPath=b", 503)
    client.data_proxy.api_put_file(rid, opened, "a", b"")
    with pytest.raises(FoundryAPIError):
        client.data_proxy.api_put_file(rid, opened, "b", b"")


def test_the_first_of_two_faults_falls_and_a_delay_besides(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    foundry.faults.answer("/me", 503)
    foundry.faults.answer("/me", 429)
    foundry.faults.delay("/me", 0.1)
    started = time.monotonic()
    told = [client.multipass.api_me(error_handling=False).status_code for _ in range(3)]
    assert told == [503, 429, 200]
    assert time.monotonic() - started >= 0.1
    assert foundry.log[0].faults == ("answer", "delay")


def test_a_delay_outlasts_the_clients_patience_but_the_work_is_done(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    foundry.faults.delay("POST", 0.3)
    with pytest.raises(requests.ReadTimeout):
        client.catalog.api_create_dataset("/lab/runs", timeout=0.02)
    assert foundry.ended(f"POST {CATALOG}").status == 200
    assert client.get_resource_by_path("/lab/runs").rid


def test_a_delay_does_not_hold_up_the_end_of_the_server() -> None:
    with FoundryServer() as other:
        other.faults.delay("/me", 60)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{other.url}/multipass/api/me", timeout=0.02)
        started = time.monotonic()
    assert time.monotonic() - started < 5


def test_something_else_happens_before_the_work(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid)
    foundry.faults.before("putFile", lambda: foundry.abort(rid, opened), skip=1)
    client.data_proxy.api_put_file(rid, opened, "a", b"1")
    with pytest.raises(FoundryAPIError):
        client.data_proxy.api_put_file(rid, opened, "b", b"2")
    assert foundry.dump(rid).files == {}


@pytest.mark.parametrize("after_bytes", [0, 100_000])
def test_a_reset_while_the_body_comes_leaves_the_work_undone(
    foundry: FoundryServer, client: FoundryContext, rid: str, after_bytes: int
) -> None:
    opened = foundry.leave_open(rid)
    foundry.faults.reset("putFile", after_bytes=after_bytes)
    with pytest.raises(requests.ConnectionError):
        client.data_proxy.api_put_file(rid, opened, "a", bytes(3_000_000))
    assert after_bytes <= foundry.log[-1].size <= after_bytes + 20_000
    assert foundry.log[-1].status is None
    assert foundry.dump(rid).transactions[-1].files == {}


def test_a_lost_reply_comes_after_the_work(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid, {"a": b"1"})
    fault = foundry.faults.lose_reply("/commit$")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"a": b"1"}
    assert fault.hits == 1


@pytest.mark.parametrize("missing", [1, 500])
def test_a_reply_is_cut_short_after_the_work(
    foundry: FoundryServer, client: FoundryContext, rid: str, missing: int
) -> None:
    foundry.put(rid, {"a": bytes(1000)})
    foundry.faults.truncate("GET .*/views/", missing=missing)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.data_proxy.api_get_file_in_view(rid, "master", "a")
    assert len(client.data_proxy.api_get_file_in_view(rid, "master", "a").content) == 1000


def test_the_clients_own_session_repeats_a_start_whose_reply_was_lost(
    foundry: FoundryServer, connect: Callable[..., FoundryContext], rid: str
) -> None:
    foundry.faults.lose_reply("/transactions$")
    with pytest.raises(DatasetHasOpenTransactionError) as caught:
        connect(foundry.token, retries=True).catalog.api_start_transaction(rid, "master")
    assert caught.value.open_transaction_rid == foundry.dump(rid).transactions[-1].rid
    assert len(foundry.requests("/transactions")) == 2


def test_the_clients_own_session_goes_on_in_the_middle_of_a_file(
    foundry: FoundryServer, connect: Callable[..., FoundryContext], rid: str
) -> None:
    opened = foundry.leave_open(rid)
    foundry.faults.reset("putFile", after_bytes=1_000_000)
    put = connect(foundry.token, retries=True).data_proxy.api_put_file
    assert put(rid, opened, "a", io.BytesIO(bytes(3_000_000))).status_code == 204
    assert len(foundry.dump(rid).transactions[-1].files["a"]) < 2_000_000


def test_a_body_that_is_no_json_is_refused(foundry: FoundryServer) -> None:
    headers = {"Authorization": f"Bearer {foundry.token}"}
    for body in (b"{", b"[]", json.dumps({"path": 1}).encode()):
        told = requests.post(f"{foundry.url}{CATALOG}", body, headers=headers, timeout=5)
        assert (told.status_code, told.json()["errorName"]) == (400, "Default:InvalidArgument")
