"""Where fuzzing begins, and what it found: bytes for each target."""

from __future__ import annotations

TOKENS = (
    b'{"access_token": "at", "token_type": "Bearer", "expires_in": 3600, '
    b'"refresh_token": "rt", "scope": "a b", "id_token": "e30.eyJzdWIiOiAieCJ9.e30"}'
)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

# Bytes that are hostile to a reader of JSON, whatever is expected.
JSON = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"\xef\xbb\xbf" + TOKENS,
    b"\xff\xfe{\x00}\x00",
    TOKENS.replace(b"at", b"\xff"),
    TOKENS.replace(b"at", b"\x00"),
    TOKENS.replace(b"at", rb"\u0000"),
    TOKENS.replace(b'"at"', rb'"\ud800"'),
    TOKENS.replace(b'"rt"', rb'"\udc00\ud800"'),
    TOKENS.replace(b"3600", b"NaN"),
    TOKENS.replace(b"3600", b"-Infinity"),
    TOKENS.replace(b"3600", b"1e400"),
    TOKENS.replace(b"3600", b"9" * 100_000),
    TOKENS.replace(b"3600", b"-" + b"9" * 100_000),
    TOKENS.replace(b"3600", b"0." + b"0" * 100_000 + b"1"),
    TOKENS.replace(b"3600", b'"' + b"9" * 100_000 + b'"'),
    TOKENS.replace(b"3600", b'"\xd9\xa3\xd9\xa0"'),
    TOKENS.replace(b"3600", b"[" * 100_000),
    TOKENS.replace(b"3600", b"[" * 900 + b"]" * 900),
    TOKENS.replace(b"3600", b'{"a":' * 900 + b"1" + b"}" * 900),
    b"[" * 100_000,
    b'{"a":' * 100_000,
    TOKENS[:-1] + b', "access_token": "other"}',
    TOKENS[:-1] + b', "access\\u005ftoken": "other"}',
    TOKENS + TOKENS,
    TOKENS + b"\x00",
    b'{"error": ["invalid_grant"]}',
    b'{"error": {"error": null}}',
    b'{"error": "invalid_grant", "error_description": 5}',
    b'{"type": "service.not_authorized", "message": {}}',
    b'{"error": "' + b"x" * 10_000 + b'"}',
]

CLAIMS = (
    b'{"iss": "https://idp.example", "aud": "client-1", "sub": "alice", "iat": 1000, '
    b'"exp": 99999999999, "nonce": "nonce-1"}'
)
METADATA = (
    b'{"issuer": "https://idp.example", "jwks_uri": "https://idp.example/keys", '
    b'"authorization_endpoint": "https://idp.example/authorize", '
    b'"token_endpoint": "https://idp.example/token", '
    b'"scopes_supported": ["openid"], "code_challenge_methods_supported": ["S256"]}'
)
KEYS = (
    b'{"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}, {"kty": "EC", '
    b'"crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": ""}]}'
)

CORPUS: dict[str, list[bytes]] = {
    "token_answer": [b"\x00\x00" + body for body in (TOKENS, *JSON)]
    + [b"\x03\x00" + body for body in JSON],
    "userinfo_answer": [
        *(b"\x00" + body for body in JSON),
        b'\x00{"sub": "alice", "name": "Alice", "email": "a@b.example"}',
        b'\x00{"sub": ' + b"9" * 255 + b"}",
        b'\x00{"sub": ' + b"9" * 256 + b"}",
        b'\x00{"sub": true, "name": 5}',
        b'\x02{"data": {"id": 5}, "name": "\\u202e\\ud800"}',
        b'\x02{"data": {"id": 5, "id": 6}}',
        b'\x03{"data": {"user": []}}',
    ],
    "url": [
        b"https://idp.example/authorize?a=b",
        b"https://user@idp.example:443/",
        b"https://[::1]/",
        b"https://idp.example\\@evil.example/",
        b"http://127.0.0.1:8000/",
        b"https://xn--bcher-kva.example/%2e%2e/;a=b",
        b"https://\xe2\x91\xa0.example/",
        b"https://[2606:4700::1111]:443/",
        b"https://[ae2e2]/",
        b"https://[93.184.215.14]/",
    ],
    "retry_after": [
        b"30",
        b"Wed, 21 Oct 2015 07:28:00 GMT\nWed, 21 Oct 2015 07:26:00 GMT",
        b"Fri, 31 Dec 9999 23:59:59 -2359",
        b"9" * 64,
        b"\xb2\n\xb2",
    ],
    "callback_query": [
        b"code=abc&state=" + b"x" * 43,
        b"error=access_denied&state=" + b"x" * 43 + b"&iss=https%3A%2F%2Fidp.example",
        b"code=a&code=b&state=%00",
        b"code=%ff%fe&state=%ud800&error=%0d%0a",
        b"access_token=x&" * 50,
        b"a=b&" * 5_000,
        b"\xff" * 100,
    ],
    "http_answer": [
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\n{}",
        CHUNKED + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD + b"\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/0.9 200\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n{}",
        b"HTTP/1.1 999 \xff\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:2/\r\n\r\n",
        HEAD + b"Set-Cookie: a=b; expires=Wed, 99 Foo 99999; domain=.\r\n\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b",
        HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n{}",
        HEAD + b"Content-Length: -1\r\nContent-Length: 5\r\n\r\n{}",
        HEAD + b"Retry-After: \xff\r\nDate: \xff\r\n\r\n{}",
        HEAD + b" folded\r\n: empty\r\n\r\n{}",
        HEAD + b"Content-Type: text/html; charset=\xff; charset=x\r\n\r\n{}",
    ],
    "id_token_bytes": [
        b'{"alg": "ES256"}\n' + CLAIMS + b"\n" + b"x" * 64,
        b'{"alg": "none"}\n' + CLAIMS + b"\n",
        b'{"alg": "ES256", "crit": ["b64"], "b64": false}\n{}\nx',
        b'{"alg": "ES256", "typ": 5, "kid": []}\n{}\nx',
        b'{"alg": ["ES256"]}\n{}\n\n\n',
        b"e30.e30.e30",
        b"..",
        b"\xff.\xff.\xff",
    ],
    "id_token_claims": [
        CLAIMS,
        CLAIMS.replace(b"1000", b"1e400"),
        CLAIMS.replace(b"1000", b"true"),
        CLAIMS.replace(b"1000", b"9" * 254),
        CLAIMS.replace(b'"client-1"', b'["client-1", 5]'),
        CLAIMS.replace(b'"alice"', b'"\\ud800"'),
        *JSON,
    ],
    "metadata": [
        METADATA,
        METADATA.replace(b'["openid"]', b'"openid"'),
        METADATA.replace(b'["openid"]', b'["\\ud800", 5]'),
        METADATA.replace(b"https://idp.example/token", b"https://[cafe]/"),
        METADATA.replace(b"https://idp.example/token", b"javascript:alert(1)"),
        *JSON,
    ],
    "keys": [
        *(bytes([choice]) + KEYS for choice in range(0, 32, 3)),
        b'\x00{"keys": {"kty": "RSA"}}',
        b'\x00{"keys": [{"kty": "RSA", "n": 5, "e": []}]}',
        b'\x00{"keys": [{"kty": "RSA", "n": "' + b"A" * 20_000 + b'", "e": "AQAB"}]}',
        b'\x06{"keys": [{"kty": "EC", "crv": 5, "x": "\xc3\xa9", "y": null}]}',
        *(b"\x00" + body for body in JSON),
    ],
}
