# shellcheck shell=bash disable=SC2034,SC2154
breaks="a commit that a network held back ends the next transaction before its offsets: those events come twice"

# A commit waits in the network for longer than the producer does, which asks again and goes on. Then
# the first one arrives, in the midst of the next transaction.
scenario() {
    local pid
    topics in out
    start_proxy
    write_main main.yaml
    echo "runtime: {lanes: 1}" >>main.yaml # so that all of it meets the same producer
    cp main.yaml direct.yaml
    sed -i "s/brokers: .*/brokers: \"$proxied\"/" main.yaml
    stream --topic "$prefix.in" --rows 10000000 --rate "$(rows 2000)"
    # librdkafka tells of a connection's end once in 30 s: this one takes the telling away.
    echo "22 lose" >&7
    worker worker main.yaml
    pid=$worker_pid
    wait_moving 60
    fault 20 1 26 hold 5300
    echo "28 hold 2500" >&7 # so the next transaction is open for as long
    sleep 9
    kill_hard "$pid"
    kill_hard "$stream_pid"
    run_to_end last 60 direct.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
}
