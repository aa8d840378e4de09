# shellcheck shell=bash disable=SC2034,SC2154
breaks="a secured cluster cannot be used, an impostor is given the password, or a refused worker hangs instead of saying why"
own_broker=yes broker_options=--authorizer

# secured USER MECHANISM: the main job over SASL_SSL, the password in a file.
secured() {
    write_main main.yaml
    local properties="security.protocol: SASL_SSL, sasl.mechanism: $2, sasl.username: $1, sasl.password: \"file:$work/password\", ssl.ca.location: $PS_KAFKA_CA"
    sed -i -e "s#properties: {#properties: {$properties, #" -e "s#brokers: .*#brokers: \"$PS_KAFKA_SASL_SSL\"#" \
        -e "s#commit_interval: 100ms#commit_interval: 100ms, properties: {$properties}#" main.yaml
}

scenario() {
    topics in out
    produce --topic "$prefix.in" --rows "$(rows 20000)"
    printf 'alice-secret' >password
    secured alice SCRAM-SHA-256
    run_to_end alice 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host

    # A broker whose certificate nobody vouches for is not talked to: nothing has to be set for that.
    printf 'alice-secret' >password
    openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=other 2>/dev/null ||
        fail "no certificate of another authority"
    sed "s#ssl.ca.location: $PS_KAFKA_CA#ssl.ca.location: other.pem#g" main.yaml >other_ca.yaml
    grep -q other.pem other_ca.yaml || fail "other_ca.yaml is not what it should be"
    worker other_ca other_ca.yaml --until-end
    expect other_ca "$worker_pid" 1 40
    says other_ca 'certificate'
    # Vouched for, but not under this name of 127.0.0.1.
    sed "s#brokers: \"localhost:#brokers: \"127.1:#" main.yaml >other_name.yaml
    grep -q 127.1: other_name.yaml || fail "other_name.yaml is not what it should be"
    worker other_name other_name.yaml --until-end
    expect other_name "$worker_pid" 1 40
    says other_name 'certificate'

    printf 'wrong' >password
    worker wrong main.yaml --until-end
    expect wrong "$worker_pid" 1 40
    says wrong 'authenticat'
    ! grep -q 'alice-secret' ./*.err || broken "a password was printed"

    printf 'bob-secret' >password
    secured bob SCRAM-SHA-512
    worker refused main.yaml --until-end
    expect refused "$worker_pid" 1 40
    says refused 'authori[sz]|refuses access'

    # Who does not speak what the port does is told where to look, not that a broker is down.
    sed "s#security.protocol: SASL_SSL, ##g" main.yaml >plain.yaml
    worker plain plain.yaml --until-end
    await_words plain 15 'still trying'
    says plain 'security.protocol \(here plaintext\)'
    ! grep -q 'brokers are down' plain.err || fail "contradicts itself: $(last_words plain)"
    kill_hard "$worker_pid"

    # The rights that docs/security.md lists are enough, without Create where the state topic is there.
    local acl=("$root/scripts/kafka" --dir "$kafka_dir" tool org.apache.kafka.tools.AclCommand)
    grant() {
        "${acl[@]}" --bootstrap-server "$brokers" --add --allow-principal User:bob "$@" >>acl.out 2>&1 ||
            fail "AclCommand: $(tail -n 2 acl.out)"
    }
    topics bad dead out2
    grant --operation Read --topic "$prefix.in" --topic "$prefix.bad" --group "$prefix"
    grant --operation Write --topic "$prefix.out2"
    grant --operation Describe --topic "$prefix.dead"
    grant --operation Write --transactional-id "$prefix-" --resource-pattern-type prefixed
    grant --operation Read --operation Write --operation Delete --topic "$prefix.state"
    "$build/penstock" reset main.yaml --to earliest --state >reset.out 2>reset.err || fail "reset with the listed rights: $(tail -n 1 reset.err)"
    sed -i "s/topic: $prefix.out,/topic: $prefix.out2,/" main.yaml
    run_to_end rights 60 main.yaml
    # DescribeConfigs is optional: its lack is told, and nothing else.
    says rights "topic $prefix.in: its max.message.bytes may not be asked for"
    ! grep -v 'may not be asked for' rights.err | grep -qE 'authori|refuse' || fail "the listed rights do not do: $(last_words rights)"
    # shellcheck disable=SC2046
    judged=out2 judge $(detector_arguments) --series host

    # A reset that may not do all of it does none: the old state goes last.
    "${acl[@]}" --bootstrap-server "$brokers" --add --deny-principal User:bob --operation All \
        --transactional-id "$prefix-reset" >>acl.out 2>&1 || fail "AclCommand: $(tail -n 2 acl.out)"
    local begin
    begin=$(admin begin "$prefix.state")
    ! "$build/penstock" reset main.yaml --to earliest --state >reset.out 2>reset.err || fail "bob may reset after all"
    grep -q "failed: give this user's principal .*; nothing was moved" reset.err || fail "a reset that is refused: $(tail -n 1 reset.err)"
    [ "$(admin begin "$prefix.state")" -eq "$begin" ] || fail "nothing was moved, but state was deleted"

    # Who may do all but write the dead letters stops at the first one, and commits nothing.
    produce --topic "$prefix.bad" --mode bad --rows 1000
    sed -i "s/topics: \[$prefix.in\]/topics: [$prefix.bad]/" main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    worker unwritable main.yaml --until-end
    expect unwritable "$worker_pid" 1 40
    says unwritable "right to write to .*$prefix.dead"
    [ "$(admin committed "$prefix" "$prefix.bad")" -lt 20 ] || broken "records were passed that could not be kept"
    [ "$(admin end "$prefix.dead")" -eq 0 ] || fail "the dead letters could be written after all"

    # Every refusal says what to try, and is a sentence.
    "${acl[@]}" --bootstrap-server "$brokers" --add --deny-principal User:bob --operation Read \
        --topic "$prefix.state" >>acl.out 2>&1 || fail "AclCommand: $(tail -n 2 acl.out)"
    worker unreadable main.yaml --until-end
    expect unreadable "$worker_pid" 1 40
    says unreadable "$prefix.state.*give this user's principal the right"
    "${acl[@]}" --bootstrap-server "$brokers" --add --deny-principal User:bob --operation All \
        --transactional-id "$prefix" --resource-pattern-type prefixed >>acl.out 2>&1 || fail "AclCommand: $(tail -n 2 acl.out)"
    worker unwriting main.yaml --until-end
    expect unwriting "$worker_pid" 1 40
    says unwriting "transactional.id .*failed: give this user's principal the right"
}
