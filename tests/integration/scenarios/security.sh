# shellcheck shell=bash disable=SC2034,SC2154
breaks="a secured cluster cannot be used, or a refused worker hangs instead of saying why"
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

    printf 'wrong' >password
    worker wrong main.yaml --until-end
    expect wrong "$worker_pid" 1 40
    says wrong 'authenticat'
    ! grep -q 'alice-secret' ./*.err || fail "a password was printed"

    printf 'bob-secret' >password
    secured bob SCRAM-SHA-512
    worker refused main.yaml --until-end
    expect refused "$worker_pid" 1 40
    says refused 'authori[sz]|refuses access'
}
