"""Create files with content credentials, signed by certificates created here."""

import datetime
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
QUIET = {"verify": {"verify_after_sign": False, "remote_manifest_fetch": False}, "builder": {"thumbnail": {"enabled": False}}}

PARENT = {"relationship": "parentOf", "label": "parent"}
OPENED = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}


@dataclass(frozen=True)
class Signatory:
    """A signer: the chain of certificates, the key, and the root certificate for a trust list; all PEM."""

    chain: str
    key: str
    root: str


def signatory(name: str = "Probe Pictures Ltd.") -> Signatory:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("Test Root")
    root = _certificate(issuer, root_key, issuer, root_key, ca=True)
    leaf = _certificate(_name(name), key, issuer, root_key, ca=False)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return Signatory(_pem(leaf) + _pem(root), private, _pem(root))


def signed(
    source: Path, target: Path, mime: str, who: Signatory, actions: list[dict[str, Any]], *, parent: Path | None = None, remote: str = ""
) -> Path:
    """Write ``source`` with a manifest of these actions, by ``Brush 2.0``, to ``target``; with ``remote``, only its address."""
    manifest = {
        "claim_generator_info": [{"name": "Brush", "version": "2.0"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", who.chain.encode(), who.key.encode(), None))
    with c2pa.Context.from_dict(QUIET) as context, c2pa.Builder(json.dumps(manifest), context) as builder:
        if parent:
            builder.add_ingredient({**PARENT, "title": parent.name}, mime, io.BytesIO(parent.read_bytes()))
        if remote:
            builder.set_no_embed()
            builder.set_remote_url(remote)
        made = io.BytesIO()
        builder.sign(signer, mime, io.BytesIO(source.read_bytes()), made)
    target.write_bytes(made.getvalue())
    return target


def created(source_type: str) -> list[dict[str, Any]]:
    return [{"action": "c2pa.created", "digitalSourceType": IPTC + source_type}]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, common), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
