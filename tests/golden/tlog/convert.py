#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the published vectors (JSON, README.md) into lines that a C test splits at tabs.

tests/golden/tlog/convert.py FOLDER     with merkle-probes.json, rfc6962-8leaf.json, notes-x-mod.json, notes-c2sp.json,
                                        tile-paths-x-mod.json, rekor-inclusion.json, ed25519-wycheproof.json in it

Bytes are base64, lists have commas, an absent value is empty. Nothing is left out or added.
"""
import base64
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def unhex(text):
    return b64(bytes.fromhex(text))


def hashes(proof):
    """`-` stands for a hash without any byte."""
    return ",".join(h or "-" for h in proof or [])


def write(name, title, rows):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write("# " + "\t".join(title.split()) + "\n")
        for row in rows:
            file.write("\t".join(str(field) for field in row) + "\n")


def probes(data):
    for p in data["inclusion"]:
        yield ("inclusion", int(not p["wantErr"]), p["leafIdx"], p["treeSize"], p["leafHash"], p["root"],
               hashes(p["proof"]), p["case"])
    for p in data["consistency"]:
        yield ("consistency", int(not p["wantErr"]), p["size1"], p["size2"], p["root1"], p["root2"],
               hashes(p["proof"]), p["case"])


def tree(data):
    for i, leaf in enumerate(data["leaf_inputs_hex"]):
        yield ("leaf", i, 0, unhex(leaf))
    for level, nodes in enumerate(data["node_hashes_hex_by_level"]):
        for i, node in enumerate(nodes):
            yield ("node", i, level, unhex(node))
    for size, root in enumerate(data["root_hex_by_size"]):
        yield ("root", size, 0, unhex(root))


def notes(mod, c2sp):
    yield ("sign", 1, mod["skey"], b64(mod["text"]), b64(mod["signed"]))
    for source in (mod, c2sp):
        for n in source["open"]:
            yield ("open", int(n["ok"]), ",".join(n["vkeys"]), b64(n["note"]), n["desc"])
    for key in mod["bad_vkeys"]:
        yield ("vkey", 0, key, "", "")
    for text in c2sp["syntax_only"]:
        yield ("checkpoint", 1, "", b64(text), "")


def paths(data):
    for case in data["cases"]:
        tile = case["tile"] or ["", "", "", ""]
        yield (case["path"], *tile)


def rekor(data):
    for c in data["cases"]:
        yield (int(c["inclusion_ok"]), c["index"], c["size"], c["root_b64"], ",".join(c["proof_b64"]), c["leaf_b64"],
               b64(c["checkpoint"] or ""), c["source"])


def ed25519(data):
    for t in data["tests"]:
        yield (int(t["result"] == "valid"), unhex(t["pk"]), unhex(t["msg"]), unhex(t["sig"]), t["tcId"])


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip())
        return 2
    folder = sys.argv[1]
    write("probes.tsv", "kind ok index_or_size1 size leaf_or_root1 root proof case", probes(load(folder, "merkle-probes.json")))
    write("tree8.tsv", "kind index level bytes", tree(load(folder, "rfc6962-8leaf.json")))
    write("notes.tsv", "kind ok keys text signed_or_name", notes(load(folder, "notes-x-mod.json"), load(folder, "notes-c2sp.json")))
    write("paths.tsv", "path height level index width", paths(load(folder, "tile-paths-x-mod.json")))
    write("rekor.tsv", "ok index size root proof leaf checkpoint source", rekor(load(folder, "rekor-inclusion.json")))
    write("ed25519.tsv", "ok key message signature id", ed25519(load(folder, "ed25519-wycheproof.json")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
