"""Each row about the HTTP client has a test that shows what it asks for; a new row without one fails here."""

from __future__ import annotations

from tests.corpus import rows
from tests.unit.agents import test_answers, test_api_caller, test_caller_retries, test_caller_tokens

SHOWN_BY = {
    "302 to other origin, Authorization": [test_caller_retries.test_redirects_are_errors],
    "302 to other origin, X-Api-Key / Idempotency-Key": [test_caller_retries.test_redirects_are_errors],
    "307/308 to other origin with body": [test_caller_retries.test_redirects_are_errors],
    "http->https same host redirect": [test_caller_retries.test_redirects_are_errors],
    "HTTP_PROXY/HTTPS_PROXY in env": [test_api_caller.test_the_environment_has_no_say],
    "NETRC / ~/.netrc": [test_api_caller.test_the_environment_has_no_say],
    "absolute URL given as path": [test_api_caller.test_endpoints_elsewhere_are_refused_before_anything_is_sent],
    "../../admin": [test_api_caller.test_endpoints_elsewhere_are_refused_before_anything_is_sent],
    "//evil/x": [test_api_caller.test_endpoints_elsewhere_are_refused_before_anything_is_sent],
    # No header's value comes from a caller but the idempotency key.
    "header value with CR/LF/NUL": [test_api_caller.test_a_key_that_no_header_can_hold_is_refused],
    "header value non-ASCII": [test_api_caller.test_a_key_that_no_header_can_hold_is_refused],
    "header value 100 kB": [test_api_caller.test_a_key_that_no_header_can_hold_is_refused],
    "caller-set Host, Authorization, Cookie, X-Forwarded-*, Content-Length, Transfer-Encoding, Connection": [
        test_api_caller.test_the_headers_are_ours_alone
    ],
    "method TRACE/CONNECT/lowercase/with spaces": [
        test_api_caller.test_other_methods_are_refused_before_anything_is_sent,
        test_api_caller.test_a_call_goes_to_the_api_as_the_user,
    ],
    "response 10 GB / slow drip / gzip bomb": [
        test_answers.test_an_endless_answer_is_cut_off,
        test_answers.test_a_compressed_answer_is_refused_unread,
        test_caller_retries.test_the_deadline_covers_all_tries,
        test_caller_retries.test_an_answer_that_drips_ends_at_the_deadline,
    ],
    "JSON response with lone surrogate or NaN": [test_answers.test_what_is_no_json_is_an_error_that_says_so],
    "JWT expired mid-run": [
        test_caller_tokens.test_tokens_are_minted_anew_before_they_expire,
        test_caller_tokens.test_one_401_gets_a_fresh_token,
        test_caller_tokens.test_a_second_401_is_the_answer,
        test_caller_tokens.test_a_token_that_expires_between_two_tries_of_one_call_is_renewed,
    ],
    "DNS rebinding of platform host": [test_api_caller.test_a_call_goes_to_the_api_as_the_user],
}


def test_every_row_has_its_test() -> None:
    assert {row["name"] for row in rows("own/http_client")} == SHOWN_BY.keys()
