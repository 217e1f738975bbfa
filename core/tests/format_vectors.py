#!/usr/bin/env python3
"""Checks the test vectors of docs/FORMAT.md with the Python code of docs/FORMAT.md.

    python3 core/tests/format_vectors.py docs/FORMAT.md

Nothing here is shared with the Rust code, which core/tests/format_vectors.rs holds to the same vectors. To add a
vector, write down its inputs: the line that fails shows the bytes that are missing. Needs the package `cryptography`.
"""

import hashlib
import json
import re
import sys


def fenced(text, language):
    """The one block of that language in a Markdown text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"{len(blocks)} blocks of {language}"
    return blocks[0]


def sealed_with(reader, vector, keyring):
    """The fields of a vector, computed from its inputs."""
    root = reader["root_key"](keyring, vector["key_id"])
    nonce, plaintext = bytes.fromhex(vector["nonce"]), vector["plaintext"].encode()
    key, check = reader["subkey"](root, vector["tenant"])
    message_key = reader["message_key"](key, nonce)
    kind = 1 if vector["tenant"] is None else 0
    search = {}
    if "search_key_id" in vector:
        kind |= 2
        tag = reader["search_tag"](keyring, vector["search_key_id"], vector["tenant"], vector["plaintext"])
        search = {"search_tag": tag.hex()}
    header = bytes([1, kind]) + vector["key_id"].to_bytes(4, "big") + check
    if search:
        header += vector["search_key_id"].to_bytes(4, "big") + tag
    sealed = header + nonce + reader["AESGCM"](message_key).encrypt(nonce[12:], plaintext, header)
    return {
        **search,
        "info": reader["info"](vector["tenant"]).hex(),
        "subkey": key.hex(),
        "check": check.hex(),
        "message_key": message_key.hex(),
        "sealed": sealed.hex(),
        "stored": reader["to_stored"](sealed),
    }


def refusal(reader, call):
    """What the reader says against it, or that it says nothing."""
    try:
        call()
    except reader["Refused"] as refused:
        return str(refused)
    return "accepted"


def checks(document):
    """Pairs of a name and a list of complaints."""
    reader = {}
    exec(compile(fenced(document, "python"), "the example of the document", "exec"), reader)  # noqa: S102
    vectors = json.loads(fenced(document, "json"))
    keyring = vectors["keyring"]

    for key in keyring["keys"]:
        expected = vectors["fingerprints"].get(str(key["id"]))
        found = reader["fingerprint"](key)
        yield f"fingerprint of {key['id']}", [] if found == expected else [f"is {found}, not {expected}"]

    for vector in vectors["values"]:
        complaints = [
            f"{field} is {found}, not {vector.get(field)}"
            for field, found in sealed_with(reader, vector, keyring).items()
            if found != vector.get(field)
        ]
        if not complaints:
            sealed = reader["from_stored"](vector["stored"])
            opened = reader["open_value"](sealed, keyring, vector["tenant"])
            if opened != vector["plaintext"]:
                complaints.append("opens to another plaintext")
        yield vector["name"], complaints

    for vector in vectors["refused_values"]:
        sealed = bytes.fromhex(vector["sealed"])
        found = refusal(reader, lambda: reader["open_value"](sealed, keyring, vector["tenant"]))
        yield vector["name"], [] if found == vector["error"] else [f"{found}, not {vector['error']}"]

    for vector in vectors["refused_texts"]:
        found = refusal(reader, lambda: reader["from_stored"](vector["text"]))
        yield vector["name"], [] if found == vector["error"] else [f"{found}, not {vector['error']}"]


    for vector in vectors["tokens"]:
        keyed = keyring, vector["key_id"]
        found = {
            "hash": (value := reader["hash_token"](*keyed, vector["token"], vector["purpose"])).hex(),
            "text": reader["hash_to_text"](value),
            "sha256": (digest := hashlib.sha256(vector["token"].encode()).digest()).hex(),
            "hash_of_sha256": reader["hash_of_sha256"](*keyed, digest, vector["purpose"]).hex(),
        }
        yield vector["name"], [
            f"{field} is {bytes_found}, not {vector[field]}"
            for field, bytes_found in found.items() if bytes_found != vector[field]
        ]

    for vector in vectors["check_digits"]:
        found = reader["check_digits_ok"](vector["token"])
        yield f"check digits of '{vector['token']}'", [] if found == vector["ok"] else [f"{found}"]


def main(path):
    with open(path, encoding="utf-8") as file:
        document = file.read()
    passed = failed = 0
    for name, complaints in checks(document):
        if complaints:
            failed += 1
            print(f"FAIL  {name}: {'; '.join(complaints)}")
        else:
            passed += 1
            print(f"ok    {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
