# shellcheck shell=bash disable=SC2034,SC2154
breaks="a network that forgets a connection without a word (a firewall, a NAT) stops a worker's reading for a minute"

scenario() {
    local pid
    topics in out
    start_proxy
    write_main main.yaml
    echo "runtime: {lanes: 1}" >>main.yaml
    sed -i "s/brokers: .*/brokers: \"$proxied\"/" main.yaml
    stream --topic "$prefix.in" --rows "$(rows 1000000)" --rate "$(rows 8000)"
    worker worker main.yaml
    pid=$worker_pid
    wait_moving 20
    sleep 2 # nothing but reading goes on: a restore would notice sooner
    fault 20 1 1 lose
    sleep 1 # what comes meanwhile is left to read
    kill_hard "$stream_pid"
    wait_committed 35
    kill -TERM "$pid"
    leaves worker "$pid" 0 20
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
}
