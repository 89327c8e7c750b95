"""Tokens between shelf and PyJWT, in both directions: what shelf makes, PyJWT
verifies; what PyJWT makes, shelf judges.

    python3 check.py URL ALG SECRET      SECRET is empty for EdDSA
"""

import base64
import json
import sys
import urllib.error
import urllib.request
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

url, alg, secret = sys.argv[1:]


def call(path, body=None, token=None):
    request = urllib.request.Request(url + path)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)


status, body = call("/api/v1/auth/signup", {"email": "pyjwt@example.com", "password": "b00k-worm"})
assert status == 201, body
token = body["data"][0]["access_token"]

# What PyJWT makes of our token: the same claims under the keys that we hand out.
if alg == "HS256":
    key = secret
else:
    key = jwt.PyJWKClient(url + "/.well-known/jwks.json").get_signing_key_from_jwt(token).key
required = ["sub", "jti", "type", "iat", "nbf", "exp"]
claims = jwt.decode(token, key, algorithms=[alg], issuer="shelf", options={"require": required})
assert claims["type"] == "access" and claims["sub"] == claims["public_id"], claims
print(f"ok   PyJWT, {alg}: our token verifies")
try:
    jwt.decode(token[:-4] + "AAAA", key, algorithms=[alg])
    raise AssertionError("a token with another signature verifies")
except jwt.InvalidSignatureError:
    print(f"ok   PyJWT, {alg}: with another signature it doesn't")


# What shelf makes of tokens by PyJWT. All say what our own, good token says.
def sign(key, alg=alg, kid=None, **changes):
    return jwt.encode({**claims, **changes}, key, algorithm=alg, headers={"kid": kid} if kid else None)


kid = jwt.get_unverified_header(token)["kid"]
cases = [
    ("our own token opens the items", token, 200, None),
    ("alg none is refused", sign(None, "none"), 422, "The specified alg value is not allowed"),
    ("alg none under our kid is refused", sign(None, "none", kid), 422, "The specified alg value is not allowed"),
]
if alg == "HS256":
    cases += [
        ("the same, signed with the secret, opens them too", sign(secret), 200, None),
        ("another secret is refused", sign(secret + "!"), 422, "Signature verification failed"),
        ("another secret under our kid is refused", sign(secret + "!", kid=kid), 422, "Signature verification failed"),
        ("HS384 with the secret is refused", sign(secret, "HS384"), 422, "The specified alg value is not allowed"),
        ("a token out of date is refused", sign(secret, exp=claims["iat"] - 1), 401, "Token has expired"),
        ("a token that shelf never made is refused", sign(secret, jti=str(uuid.uuid4())), 401, "Token has been revoked"),
    ]
else:
    other = Ed25519PrivateKey.generate()
    with urllib.request.urlopen(url + "/.well-known/jwks.json") as answer:
        x = json.load(answer)["keys"][0]["x"]
    cases += [
        ("another key is refused", sign(other), 422, "Signature verification failed"),
        ("another key under our kid is refused", sign(other, kid=kid), 422, "Signature verification failed"),
        ("HS256 with the public key is refused", sign(base64.urlsafe_b64decode(x + "="), "HS256", kid), 422, "The specified alg value is not allowed"),
    ]
for name, text, want_status, want_error in cases:
    status, body = call("/api/v1/items", token=text)
    assert (status, body.get("error")) == (want_status, want_error), (name, status, body)
    print(f"ok   PyJWT, {alg}: {name}")
