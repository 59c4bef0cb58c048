"""Proofs as an attacker hands them to a server, and honest ones of another clock."""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


def keys_of_a_change(directory):
    """A file with a key of either algorithm, as after a change to ES256."""
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kept = [
        {"made_at": made_at, "private_key": key.private_bytes(*form).decode()}
        for made_at, key in (
            ("2026-01-02T00:00:00Z", generate_private_key(SECP256R1())),
            ("2026-01-01T00:00:00Z", Ed25519PrivateKey.generate()),
        )
    ]
    path = directory / "proof-keys.json"
    path.touch(0o600)
    subject_key = base64.b64encode(bytes(range(32))).decode()
    path.write_text(json.dumps({"subject_key": subject_key, "keys": kept}))
    return path


def own_key(keys_file, algorithm):
    """The newest key that the service has for that algorithm."""
    kept = json.loads(keys_file.read_text())["keys"]
    keys = [load_pem_private_key(key["private_key"].encode(), None) for key in kept]
    return next(key for key in keys if isinstance(key, EllipticCurvePrivateKey) == (algorithm == "ES256"))


def parts(proof):
    """The header and the claims, unchecked."""
    return jwt.get_unverified_header(proof), jwt.decode(proof, options={"verify_signature": False})


def resigned(proof, key, changes):
    """The same proof by a service whose clock, or lifetime, is another."""
    header, claims = parts(proof)
    return jwt.encode({**claims, **changes}, key, header["alg"], header)


def encoded(part):
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_public_key(public):
    """The forms of a public key that a library may take for an HMAC's secret."""
    yield "PEM", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "DER", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    is_point = hasattr(public, "curve")
    raw = PublicFormat.UncompressedPoint if is_point else PublicFormat.Raw
    yield "bytes", public.public_bytes(Encoding.X962 if is_point else Encoding.Raw, raw)


def forgeries(proof, own):
    """Each with what it is."""
    named, said = parts(proof)
    header, claims, signature = proof.split(".")
    algorithm = named["alg"]
    is_curve = algorithm == "ES256"
    stranger = generate_private_key(SECP256R1()) if is_curve else Ed25519PrivateKey.generate()
    theirs = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(stranger.public_key()))

    def signed(by, changes=None, headers=None):
        return jwt.encode({**said, **(changes or {})}, by, algorithm, {**named, **(headers or {})})

    yield "an edited number", f"{header}.{encoded({**said, 'phone_number': '+14155550199'})}.{signature}"
    for none in ("none", "None", ""):
        yield f"alg {none!r}", encoded({**named, "alg": none}) + f".{claims}."
    for form, secret in by_public_key(own.public_key()):
        symmetric = encoded({**named, "alg": "HS256"}) + "." + claims
        mac = hmac.new(secret, symmetric.encode(), hashlib.sha256).digest()
        yield f"HS256 with the public key's {form}", f"{symmetric}.{encoded(mac)}"
    yield "no signature", f"{header}.{claims}."
    yield "a signature of zeros", f"{header}.{claims}.{encoded(bytes(64))}"
    yield "another key", signed(stranger)
    yield "another key by jku", signed(stranger, headers={"jku": "http://127.0.0.1:1/keys"})
    yield "another key by jwk", signed(stranger, headers={"jwk": theirs})
    yield "another kid", signed(stranger, headers={"kid": "mine"})
    yield "another audience", signed(own, {"aud": "another"})
    yield "a test number's audience", signed(own, {"aud": said["aud"] + ":test"})
    yield "another issuer", signed(own, {"iss": "https://evil.example"})
    yield "long over", signed(own, {"exp": said["iat"] - 3600})
    yield "another type", signed(own, headers={"typ": "JWT"})
