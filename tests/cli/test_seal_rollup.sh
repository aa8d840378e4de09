#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `penstock seal rollup` as an operator meets it: what is added, what is refused and why, what verify says of the log that comes of
# it. Witnesses are another test's (tests/seal/litewitness).
# usage: tests/cli/test_seal_rollup.sh path/to/penstock path/to/test_seal_write
# shellcheck source=tests/cli/lib.sh
write=$(realpath "$2")
. "$(dirname "$0")/lib.sh"
unset PS_ISA

# run CODE ARGUMENT…: leaves stdout and stderr in `out` and `err`.
run() {
    local wanted=$1
    shift
    "$penstock" seal "$@" >out 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "penstock seal $*: exit code $code, wanted $wanted; $(head -n 2 err) $(head -n 2 out)"
}
out_has() { grep -qF -- "$1" out || fail "stdout lacks '$1': $(head -n 3 out)"; }
rollup() { # rollup CODE [OPTION…]
    local code=$1
    shift
    run "$code" rollup seal --into roll --signer key "$@"
}
# turn FILE BYTE: one bit of it.
turn() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); a = int(sys.argv[2]); f.seek(a); b = f.read(1)[0]; f.seek(a); f.write(bytes([b ^ 4]))' "$1" "$2"; }

"$penstock" seal keygen example.org/a/orders/0 -o k0 >v0
"$penstock" seal keygen example.org/a/orders/1 -o k1 >v1
"$penstock" seal keygen example.org/a -o key >v
"$write" k0 seal/orders/0 300
"$write" k1 seal/orders/1 5

# If this fails, a wrong command line is not told from a log that was changed, or leaves something behind.
run 2 rollup seal --signer key
err_has "say with --into"
run 2 rollup seal --into roll
err_has "say with --signer"
run 2 rollup seal --into roll --signer v
err_has "begins with PRIVATE+KEY+"
run 2 rollup seal --into roll --signer nowhere
rollup 2 --key nonsense
for inside in seal seal/roll seal/orders/0 seal/new/roll ./seal/../seal/x; do
    run 2 rollup seal --into $inside --signer key
    err_has "a roll-up lies elsewhere"
done
printf 'witness w nokey\nquorum w\n' >policy
rollup 2 --policy policy
err_has "policy: line 1:"
rollup 2 --policy nowhere
rollup 2 --wait long
[ -e roll ] && fail "something was made for a wrong command line"
run 1 rollup nowhere --into roll --signer key

# If this fails, checkpoints are added twice, not at all, or unchecked.
rollup 0 --key v0 --key v1
out_has "seal/orders/0: added: 300 entries of example.org/a/orders/0"
out_has "seal/orders/1: added: 5 entries of example.org/a/orders/1"
out_has "roll: 2 entries of example.org/a/rollup"
[ -s err ] && fail "a warning: $(cat err)"
rollup 0 --key v0 --key v1
out_has "seal/orders/0: unchanged"
out_has "roll: 2 entries"
"$write" k0 seal/orders/0 600
rollup 0 --json --key v0 --key v1
python3 -c 'import json
rows = [json.loads(line) for line in open("out")]
assert [r["result"] for r in rows] == ["added", "unchanged", "ok"], rows
assert rows[0] == {"log": "seal/orders/0", "origin": "example.org/a/orders/0", "size": 600, "result": "added"}, rows
assert rows[2]["origin"] == "example.org/a/rollup" and rows[2]["size"] == rows[2]["published"] == 3 and rows[2]["added"] == 1, rows' ||
    fail "--json: $(cat out)"
rollup 1 --key v0
out_has "seal/orders/1: cannot tell: none of the keys that were given is for it"
rollup 0
err_has "give the key you know with --key"
run 0 rollup seal/orders/0 --into own --signer k0 # who signed the log rolls it up
[ -s err ] && fail "a warning about the own key: $(cat err)"
grep -q '^example.org/a/orders/0/rollup$' own/checkpoint || fail "the origin is $(head -n 1 own/checkpoint)"

# If this fails, a log that was changed becomes part of what witnesses vouch for.
cp -r seal kept
turn seal/orders/1/tile/0/000.p/5 40
"$write" k0 seal/orders/0 601
rollup 1
out_has "seal/orders/1: TAMPERED: the tiles do not have the root of the checkpoint"
out_has "seal/orders/0: added: 601 entries"
turn seal/orders/1/checkpoint 30
rollup 1 --json
python3 -c 'import json; r = [json.loads(line) for line in open("out")]; assert [x["result"] for x in r] == ["unchanged", "tampered", "ok"], r' ||
    fail "--json: $(cat out)"
rm -r seal && cp -r kept seal
rollup 1
out_has "seal/orders/0: TAMPERED: example.org/a/orders/0: it has 600 entries, and had 601 before: the log went back"
rm -r seal/orders/0
head -c $((118 * 700)) /dev/zero | "$write" k0 seal/orders/0 -
rollup 1
out_has "seal/orders/0: TAMPERED: its first 601 entries are not those that were rolled up before: the log was rewritten"
run 0 verify seal/orders/0 --key v0 # by itself it is whole
rm -r seal && cp -r kept seal
run 1 rollup seal --into roll --signer k0 # another key's directory
err_has "not signed by"
flock roll "$penstock" seal rollup seal --into roll --signer key >out 2>err && fail "two write one roll-up"
err_has "another process writes there"

# If this fails, an auditor takes a roll-up for whole that is not.
run 0 verify roll --key roll/vkey --key v0 --key v1
out_has "roll: ok: 4 entries of example.org/a/rollup"
[ -s err ] && fail "a warning: $(cat err)"
run 0 verify roll --key roll/vkey
err_has "4 of the 4 checkpoints in it are signed by keys that are not known here"
run 0 verify own
grep -q "not known here" err && fail "the own secret is not known"
"$penstock" seal keygen example.org/a/orders/0 -o k9 >v9
run 1 verify roll --key roll/vkey --key v9
out_has "entry 0: not signed by example.org/a/orders/0+"
out_has "roll: TAMPERED: 3 faults"
run 0 verify roll --key roll/vkey --key v9 --key v0 --key v1 # v9 took the place of v0
[ -s err ] && fail "a warning: $(cat err)"
rollup 1 --key v9 --key v1
out_has "seal/orders/0: TAMPERED: not signed by example.org/a/orders/0+"
rollup 1 --key v9 --key v0 --key v1
out_has "it has 600 entries, and had 601 before"
"$penstock" seal keygen example.org/b/rollup -o kb >vb
"$write" kb other 3
run 1 verify other --key vb
out_has "entry 2 is no checkpoint of a log"
run 0 show roll --index 2
out_has "origin    example.org/a/orders/0"
out_has "entries   600"
turn roll/tile/entries/000.p/4 30
run 1 verify roll --key roll/vkey
turn roll/tile/entries/000.p/4 30

# If this fails, a policy is passed over.
printf 'log %s\nquorum none\n' "$(cat roll/vkey)" >policy
rollup 1 --policy policy # the log that went back; all else is done
out_has "roll: 4 entries of example.org/a/rollup"
run 0 verify roll --policy policy
grep -q "in its own" err && fail "the policy's key is not taken"
run 0 prove roll --index 0 -o proof
run 0 verify proof proof --policy policy
out_has "entry 0 of the log of 4 entries that example.org/a/rollup has signed"
run 2 verify proof proof
err_has "--policy FILE"
printf 'log %s\nquorum none\n' "$(cat v0)" >policy
run 1 verify proof proof --policy policy # as by the key of another log: its origin may have been changed
err_has "of none of the policy's logs"
run 3 verify roll --policy policy
printf 'quorum none\n' >policy
run 3 verify proof proof --policy policy
printf 'witness w witness.example/w1+6ce3df93+BIGVFQZLuByzs6wytKqkMzcbRnstI9R0nCyv9QV1R3y3\nquorum w\n' >policy
run 1 verify roll --policy policy --key roll/vkey
out_has "roll/checkpoint: too few of the policy's witnesses have cosigned it"
run 1 verify proof proof --policy policy --key roll/vkey
"$write" k1 seal/orders/1 6
rollup 1 --policy policy
err_has "the quorum for 5 entries is missing: w has no URL in the policy"
sed -n 2p roll/checkpoint | grep -qx 4 || fail "published without its quorum"
run 2 verify roll --policy v
# If this fails, the password in a witness' URL is printed.
for url in http://me:secret@127.0.0.1:1 ftp://me:secret@127.0.0.1 http://me:secret@127.0.0.1:none http://me:secret@nowhere.invalid; do
    printf 'witness w witness.example/w1+6ce3df93+BIGVFQZLuByzs6wytKqkMzcbRnstI9R0nCyv9QV1R3y3 %s\nquorum w\n' "$url" >policy
    for json in "" --json; do
        rollup 1 --policy policy --wait 0s $json
        grep -q secret out err && fail "a password is printed: $(grep -h secret out err)"
    done
done

[ $failures -eq 0 ] && echo "test_seal_rollup: all well"
[ $failures -eq 0 ]
