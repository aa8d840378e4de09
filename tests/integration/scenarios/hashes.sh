# shellcheck shell=bash disable=SC2034,SC2154
breaks="a hash in the output is not what its specification says of the value or the key"

scenario() {
    topics in out
    produce --topic "$prefix.in" --rows "$(rows 1000)" --seed 1
    produce --topic "$prefix.in" --rows "$(rows 500)" --bytes 3000 --seed 2
    produce --topic "$prefix.in" --rows "$(rows 100)" --bytes 40000 --seed 3
    {
        echo "pipeline: $prefix"
        echo "source:"
        echo "  kafka: {brokers: \"$brokers\", topics: [$prefix.in]}"
        echo "stages:"
        for hash in sha256 blake3 xxh3 crc32c murmur2 fnv1a; do
            echo "  - hash: {algorithm: $hash, of: value}"
            echo "  - hash: {algorithm: $hash, of: key, as: key_$hash}"
        done
        echo "sink:"
        echo "  kafka: {topic: $prefix.out}"
    } >hashes.yaml
    run_to_end worker 60 hashes.yaml
    kcat -C -e -q -b "$brokers" -t "$prefix.out" -X isolation.level=read_committed -f '%k\t%h\t%s\n' 2>/dev/null |
        "$build/accept_hashes" >hashes.json || fail "a hash is wrong: $(cat hashes.json)"
    [ "$(number_of hashes.json records)" -eq "$(summary worker rows_out)" ] ||
        fail "the checker did not see every record: $(cat hashes.json)"
    accounts worker
}
