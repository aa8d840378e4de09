# shellcheck shell=bash disable=SC2034,SC2154
breaks="a secured broker cannot be reached over a connection of our own, an impostor is given the password, or a session ends unrenewed"
own_broker=yes

# hello NAME ARGUMENT…: to the secured port, what it prints in NAME.out and NAME.err.
hello() {
    local each=$1
    shift
    timeout 30 "$build/accept_hello" "$PS_KAFKA_SASL_SSL" "$@" >"$each.out" 2>"$each.err"
}

greets() {
    hello "$@" || fail "$1: $(cat "$1.err")"
    if ! grep -q '^produce 1[0-9]$' "$1.out" || ! grep -q '^transaction.version [0-9]' "$1.out"; then
        fail "$1: $(cat "$1.out")"
    fi
}

refused() { # refused NAME WORDS ARGUMENT…
    local each=$1 words=$2
    shift 2
    ! hello "$each" "$@" || broken "$each: was let in"
    grep -q "$words" "$each.err" || fail "$each: says $(cat "$each.err")"
    ! grep -qE 'alice-secret|bob-secret|wrong-secret' "$each.err" || broken "$each: a password was printed"
}

# token SECONDS: unsigned, alice's, good for so long.
token() {
    local now
    now=$(date +%s)
    printf '%s.%s.' "$(printf '{"alg":"none"}' | base64 -w0 | tr '+/' '-_' | tr -d =)" \
        "$(printf '{"sub":"alice","iat":%d,"exp":%d}' $((now - 5)) $((now + $1)) | base64 -w0 | tr '+/' '-_' | tr -d =)"
}

scenario() {
    local ca=(--ca "$PS_KAFKA_CA")
    local alice=(--user alice --password alice-secret)
    greets scram_256 "${ca[@]}" --mechanism SCRAM-SHA-256 "${alice[@]}"
    greets scram_512 "${ca[@]}" --mechanism SCRAM-SHA-512 --user bob --password bob-secret
    greets plain "${ca[@]}" --mechanism PLAIN "${alice[@]}" --for 1
    greets unverified --no-verify --mechanism PLAIN "${alice[@]}"

    refused wrong_256 'alice by SCRAM-SHA-256 was refused' "${ca[@]}" --mechanism SCRAM-SHA-256 --user alice --password wrong-secret
    refused wrong_512 'bob by SCRAM-SHA-512 was refused' "${ca[@]}" --mechanism SCRAM-SHA-512 --user bob --password wrong-secret
    refused wrong_plain 'alice by PLAIN was refused' "${ca[@]}" --mechanism PLAIN --user alice --password wrong-secret
    refused nobody 'nobody by SCRAM-SHA-256 was refused' "${ca[@]}" --mechanism SCRAM-SHA-256 --user nobody --password wrong-secret

    openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=other 2>/dev/null ||
        fail "no certificate of another authority"
    refused untrusted 'certificate is not trusted' --ca other.pem --mechanism PLAIN "${alice[@]}"
    PS_KAFKA_SASL_SSL=127.1:${PS_KAFKA_SASL_SSL##*:} refused other_name 'certificate is not trusted: hostname mismatch' \
        "${ca[@]}" --mechanism PLAIN "${alice[@]}"
    refused no_tls 'TLS\|closed' --mechanism PLAIN "${alice[@]}"

    greets token "${ca[@]}" --mechanism OAUTHBEARER --token "$(token 600)"
    refused no_token 'OAUTHBEARER was refused' "${ca[@]}" --mechanism OAUTHBEARER --token "$(token -60)"
    refused no_command 'exit code 3' "${ca[@]}" --mechanism OAUTHBEARER --token-command 'exit 3'
    # A session of three seconds, used for eight: ended twice, and nothing was refused.
    token 600 >token.now
    greets sessions "${ca[@]}" --mechanism OAUTHBEARER --token-command "cat $work/token.now; echo run >>$work/runs" --for 8
    [ "$(wc -l <runs)" -ge 3 ] || fail "the command for a token ran $(wc -l <runs) times in 8 s"
    grep -qE 'authenticated again [2-9] times' sessions.out || fail "sessions: $(tail -n 1 sessions.out)"
}
