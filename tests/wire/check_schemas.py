#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares ingest/wire/messages.def with the schemas in Kafka's own jar.

usage: tests/wire/check_schemas.py [kafka-clients-….jar]

A field that is missing, out of order, of another type, in other versions, with another default, tag
or null is a fault: what we send would be read as something else. Without the jar (scripts/setup
brings it) there is nothing to compare with: exit code 77. With --left-out: what schemas have in our
versions and the table leaves out, on purpose; they can only be tagged fields.
"""
import glob
import json
import os
import re
import sys
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uuid": "UUID",
         "string": "STRING", "bytes": "BYTES", "records": "RECORDS", "[]int32": "INT32S", "[]string": "STRINGS"}
FOR_EVER = 32767
# A broker that is older than our versions answers ApiVersions in version 0.
OLDEST = {"api_versions": 0}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def read_table():
    """{api: (min, max, flexible)}, {struct: [row]}; a row is (kind, name, options)."""
    text = ""
    for name in ("messages.def", "messages_control.def"):
        with open(os.path.join(ROOT, "ingest/wire", name), encoding="utf-8") as file:
            text += re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    apis, structs, here = {}, {}, None
    for word, inside in re.findall(r"\b(API|BEGIN|END|FIELD|ARRAY|PART)\(((?:[^()]|\([^()]*\))*)\)", text):
        parts = [part.strip() for part in inside.split(",")]
        if word == "API":
            flexible = FOR_EVER if parts[4] == "INT16_MAX" else int(parts[4])
            apis[parts[0]] = (parts[1], int(parts[2]), int(parts[3]), flexible)
        elif word == "BEGIN":
            here = structs.setdefault(parts[0], [])
        elif word != "END":
            here.append((word if word != "FIELD" else parts[0], parts[0], parts[1], parts[2:]))
    return apis, structs


def versions(text):
    if text in (None, "none"):
        return FOR_EVER, 0
    if text.endswith("+"):
        return int(text[:-1]), FOR_EVER
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def within(text, low, high):
    first, last = versions(text)
    return max(first, low), min(last, high)


def value_of(default):
    words = {"": "0", "false": "0", "true": "1", "INT32_MIN": "-2147483648"}
    default = words.get(default, default)
    return default if default == "null" else str(int(default, 0))


def options(row, low, high):
    """What a row of the table says, in the terms of the schema."""
    said = dict(re.match(r"(\w+)(?:\((.*)\))?", option).groups() for option in row[3])
    since, until = int(said.get("SINCE", 0)), int(said.get("UNTIL", FOR_EVER))
    nullable = 0 if "NULLABLE" in said else int(said["NULLABLE_SINCE"]) if "NULLABLE_SINCE" in said else FOR_EVER
    default = "null" if "DEFAULT_NULL" in said else said.get("DEFAULT", "0")
    return {"versions": (max(since, low), min(until, high)), "nullable": max(min(nullable, high + 1), since, low),
            "default": value_of(default),
            "tag": said.get("TAG")}


def wanted(field, low, high):
    tag, (first, _) = field.get("tag"), within(field["versions"], low, high)
    return {"versions": within(field["versions"], low, high),
            "nullable": max(min(versions(field.get("nullableVersions"))[0], high + 1), first),
            "default": value_of(str(field.get("default", "")).lower()),
            "tag": None if tag is None else str(tag)}


class Message:
    def __init__(self, jar, name, api, structs, low, high, faults, left_out):
        text = re.sub(r"^\s*//.*$", "", jar.read(f"common/message/{name}.json").decode(), flags=re.M)
        self.schema = json.loads(re.sub(r"([,{\[])\s*//.*$", r"\1", text, flags=re.M))
        self.common = {part["name"]: part["fields"] for part in self.schema.get("commonStructs", [])}
        self.prefix, self.structs = api, structs
        self.faults, self.left_out = faults, left_out
        self.compare(api, self.schema["fields"], low, high)

    def compare(self, struct, fields, low, high):
        rows = {row[2]: row for row in self.structs.get(struct, [])}
        order = [row[2] for row in self.structs.get(struct, [])]
        seen = []
        for field in fields:
            name = snake(field["name"])
            first, last = within(field["versions"], low, high)
            if first > last:
                continue
            if name not in rows:
                (self.left_out if "tag" in field else self.faults).append(f"{struct}: {name} is missing")
                continue
            seen.append(name)
            self.compare_field(struct, rows[name], field, low, high)
        if [name for name in order if name in seen] != seen or len(seen) != len(order):
            self.faults.append(f"{struct}: has {order}, not {seen}")

    def compare_field(self, struct, row, field, low, high):
        kind, of, name, _ = row
        ours = options(row, low, high)
        for what, value in wanted(field, low, high).items():
            if ours[what] != value:
                self.faults.append(f"{struct}.{name}: {what} is {ours[what]}, the schema's {value}")
        schema_type = field["type"]
        if schema_type in TYPES:
            if TYPES[schema_type] != kind:
                self.faults.append(f"{struct}.{name}: {kind}, not {schema_type}")
            return
        element = schema_type.removeprefix("[]")
        inner = f"{self.prefix}_{snake(element)}"
        if kind != ("ARRAY" if schema_type.startswith("[]") else "PART") or of != inner:
            self.faults.append(f"{struct}.{name}: {kind} of {of}, not {schema_type}")
        self.compare(of, field.get("fields") or self.common[element], *within(field["versions"], low, high))


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if "--help" in sys.argv:
        print(__doc__.strip())
        return 0
    jars = words or sorted(glob.glob(os.path.join(ROOT, ".deps/kafka-4*/libs/kafka-clients-*.jar")))
    if not jars:
        print("no kafka-clients jar here")
        return 77
    faults, left_out = [], []
    apis, structs = read_table()
    with zipfile.ZipFile(jars[-1]) as jar:
        for api, (_, low, high, flexible) in apis.items():
            name = "".join(word.capitalize() for word in api.split("_"))
            for kind in ("Request", "Response"):
                message = Message(jar, name + kind, f"{api}_{kind.lower()}", structs, OLDEST.get(api, low), high,
                                  faults, left_out)
                valid = versions(message.schema["validVersions"])
                newest = valid[1] - (message.schema.get("latestVersionUnstable") is True)
                if low < valid[0] or high > newest:
                    faults.append(f"{name}{kind}: versions {low} to {high}, the schema's {valid[0]} to {newest}")
                if min(versions(message.schema["flexibleVersions"])[0], FOR_EVER) != flexible:
                    faults.append(f"{name}{kind}: flexible from {flexible}, not {message.schema['flexibleVersions']}")
    for line in faults + (left_out if "--left-out" in sys.argv else []):
        print(line)
    print(f"{len(apis)} apis, {len(structs)} structs, {len(faults)} faults, {len(left_out)} tagged fields left out")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
