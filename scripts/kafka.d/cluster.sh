# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# One test cluster: its settings, its files, its processes. Sourced by scripts/kafka, which sets
# dir, nodes, version, base_port, speed, authorizer.

cluster_id=MkU3OEVBNTcwNTJENDM2Qk
# The FAULT listener advertises this much above its own port, where a test's proxy listens.
fault_proxy_offset=10000

# Node i has base + 100 (i - 1): plaintext, then controller, FAULT, SASL_SSL.
port_of() { echo $((base_port + 100 * ($1 - 1) + ${2:-0})); }
address_of() { echo "127.0.0.1:$(port_of "$1")"; }

addresses() { # addresses HOST OFFSET: the bootstrap list of one listener
    local node list=
    for node in $(seq "$nodes"); do list+=,$1:$(port_of "$node" "$2"); done
    echo "${list#,}"
}

kafka_home() { echo "$deps/kafka-$version"; }

java_tool() { # java_tool CLASS ARGUMENT…: one of Kafka's command line tools
    local home archive=()
    home=$(kafka_home)
    [ ! -f "$home/tools.jsa" ] || archive=("-XX:SharedArchiveFile=$home/tools.jsa")
    # shellcheck disable=SC2086  # PS_KAFKA_JAVA carries several options
    java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xshare:auto -Xlog:disable \
        ${archive[@]+"${archive[@]}"} ${PS_KAFKA_JAVA-} \
        -Dps.log=error "$(logging)" -cp "$home/libs/*" "$@" 9>&-
}

logging() {
    case $version in
    3.*) echo "-Dlog4j.configuration=file:$root/scripts/kafka.d/log4j.properties" ;;
    *) echo "-Dlog4j2.configurationFile=file:$root/scripts/kafka.d/log4j2.properties" ;;
    esac
}

# cluster.conf is also what marks a folder as ours: nothing else is ever removed.
write_cluster_file() {
    printf '%s=%s\n' nodes "$nodes" version "$version" base_port "$base_port" \
        speed "$speed" authorizer "$authorizer" >"$dir/cluster.conf"
}

read_cluster_file() {
    [ -f "$dir/cluster.conf" ] || return 1
    local key value
    while IFS='=' read -r key value; do
        case $key in nodes | version | base_port | speed | authorizer) printf -v "$key" %s "$value" ;; esac
    done <"$dir/cluster.conf"
}

make_tls_files() {
    local tls=$dir/tls
    [ ! -f "$tls/server.pem" ] || return 0
    mkdir -p "$tls"
    (
        cd "$tls"
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=penstock test CA" \
            -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out server.crt
        # Kafka's PEM store: key, certificate, authority in one file; no keytool.
        cat server.key server.crt ca.pem >server.pem.new
        mv server.pem.new server.pem
    ) >"$dir/tls.log" 2>&1 || die "openssl could not make the test certificates: see $dir/tls.log"
}

write_node_properties() { # write_node_properties NODE
    local node=$1 voters='' other isr=1
    for other in $(seq "$nodes"); do voters+=,$other@127.0.0.1:$(port_of "$other" 1); done
    [ "$nodes" -eq 1 ] || isr=2
    {
        cat <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=${voters#,}
listeners=PLAINTEXT://127.0.0.1:$(port_of "$node"),CONTROLLER://127.0.0.1:$(port_of "$node" 1),FAULT://127.0.0.1:$(port_of "$node" 2),SASL_SSL://127.0.0.1:$(port_of "$node" 3)
advertised.listeners=PLAINTEXT://127.0.0.1:$(port_of "$node"),FAULT://127.0.0.1:$(($(port_of "$node" 2) + fault_proxy_offset)),SASL_SSL://localhost:$(port_of "$node" 3)
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FAULT:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data-$node
default.replication.factor=$nodes
min.insync.replicas=$isr
offsets.topic.replication.factor=$nodes
transaction.state.log.replication.factor=$nodes
transaction.state.log.min.isr=$isr
ssl.keystore.location=$dir/tls/server.pem
ssl.truststore.location=$dir/tls/ca.pem
END
        cat "$root/scripts/kafka.d/server.properties"
        case $version in
        3.*) echo "group.coordinator.rebalance.protocols=classic,consumer" ;;
        *) printf 'share.coordinator.state.topic.%s\n' "replication.factor=$nodes" "min.isr=$isr" ;;
        esac
        if [ "$authorizer" = yes ]; then
            echo "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            echo "super.users=User:ANONYMOUS;User:alice"
        fi
    } >"$dir/server-$node.properties"
}

format_node() { # format_node NODE: nothing where it is formatted already
    [ ! -f "$dir/data-$1/meta.properties" ] || return 0
    java_tool kafka.tools.StorageTool format -t "$cluster_id" -c "$dir/server-$1.properties" --ignore-formatted \
        --add-scram 'SCRAM-SHA-256=[name="alice",password="alice-secret"]' \
        --add-scram 'SCRAM-SHA-512=[name="bob",password="bob-secret"]' >"$dir/format-$1.log" 2>&1
}

# A pid alone may have been given to another process since: its start time goes with it.
start_time_of() { # start_time_of PID: nothing for a process that is gone or a zombie
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
    read -ra fields <<<"${stat##*) }"
    [ "${fields[0]}" = Z ] || echo "${fields[19]}"
}

pid_of() { # pid_of NODE: status 1 when it does not run
    local pid born
    read -r pid born 2>/dev/null <"$dir/node-$1.pid" || return 1
    [ -n "$born" ] && [ "$(start_time_of "$pid")" = "$born" ] && echo "$pid"
}

running_nodes() {
    local node
    for node in $(seq "$nodes"); do if pid_of "$node" >/dev/null; then echo "$node"; fi; done
}

launch_node() { # launch_node NODE
    local home pid options=(-XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:-UsePerfData -Djava.awt.headless=true)
    home=$(kafka_home)
    if [ "$speed" = yes ]; then
        # Collections stop the broker for some 10 ms each, whatever the heap: a large young part makes them few.
        options+=(-Xms3g -Xmx3g -Xmn2g)
    else
        # The first compiler alone starts faster and takes a quarter of the CPU.
        options+=(-Xms512m -Xmx512m -XX:TieredStopAtLevel=1)
    fi
    # -Xlog:cds=off: an archive that another java made is left unused without a word.
    [ ! -f "$home/broker.jsa" ] || options+=("-XX:SharedArchiveFile=$home/broker.jsa" -Xlog:disable)
    # shellcheck disable=SC2086  # PS_KAFKA_JAVA carries several options
    setsid java "${options[@]}" ${PS_KAFKA_JAVA-} -Dps.log=INFO "$(logging)" -cp "$home/libs/*" \
        kafka.Kafka "$dir/server-$1.properties" </dev/null >>"$dir/node-$1.log" 2>&1 8>&- 9>&- &
    pid=$!
    echo "$pid $(start_time_of "$pid")" >"$dir/node-$1.pid"
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# taken_port OFFSET…: the first of the nodes' ports that somebody listens on; status 1 when all are free
taken_port() {
    local node offset
    for node in $(seq "$nodes"); do
        for offset; do
            if port_is_open "$(port_of "$node" "$offset")"; then port_of "$node" "$offset" && return 0; fi
        done
    done
    return 1
}

# Below 32768, the proxies' ports included, because outgoing connections take theirs from there on.
# A block is locked until this script ends, by when its brokers listen, so that two starts at once
# never choose the same one, whichever clone they belong to.
pick_base_port() {
    local locks=${TMPDIR:-/tmp}/penstock-ports-$UID
    mkdir -p "$locks"
    for base_port in $(seq 12000 400 18400 | shuf); do
        exec 8>"$locks/$base_port"
        if flock -n 8 && ! taken_port 0 1 2 3 $((fault_proxy_offset + 2)) >/dev/null; then return 0; fi
    done
    return 1
}

metadata_of() { timeout 5 kcat -L -m 2 -b "$(address_of "$1")" 2>/dev/null; }

# Each node is asked itself: for seconds after a death the others go on listing it.
wait_ready() { # wait_ready SECONDS
    local deadline=$((SECONDS + $1)) node seen
    for node in $(seq "$nodes"); do
        while :; do
            pid_of "$node" >/dev/null || return 1
            if port_is_open "$(port_of "$node")"; then
                seen=$(metadata_of "$node" || true)
                if grep -q "^ $nodes brokers:" <<<"$seen" && grep -q "(controller)" <<<"$seen"; then break; fi
            fi
            [ $SECONDS -lt "$deadline" ] || return 1
            sleep 0.05
        done
    done
}

partitions_behind() { # how many partitions lack a replica in sync
    metadata_of "$1" | awk -F'[:,] *' '
        $1 ~ /^ *partition [0-9]+$/ {
            line = $0; sub(/.*replicas: /, "", line); split(line, part, /, isrs: /); sub(/, .*[^0-9,].*/, "", part[2])
            if (split(part[1], a, ",") != split(part[2], b, ",")) behind++
        }
        END { print behind + 0 }'
}

wait_in_sync() { # wait_in_sync SECONDS
    local deadline=$((SECONDS + $1))
    wait_ready "$1" || return 1
    until [ "$(partitions_behind 1)" = 0 ]; do
        [ $SECONDS -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

wait_gone() { # wait_gone SECONDS PIDFILE_NODE…: status 1 when one still runs
    local deadline=$((SECONDS + $1)) node
    shift
    for node; do
        while pid_of "$node" >/dev/null; do
            [ $SECONDS -lt "$deadline" ] || return 1
            sleep 0.05
        done
    done
}

signal_node() { # signal_node SIGNAL NODE
    local pid
    pid=$(pid_of "$2") && kill "-$1" "$pid" 2>/dev/null
}
