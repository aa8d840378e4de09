# shellcheck shell=bash disable=SC2034,SC2154
breaks="faults that come together (a killed broker, zombies, lost answers, rebalances) lose, repeat or reorder events"
no_broker=yes

# The short form of `penstock bench chaos`: one broker and one zombie at least, and of every other kind
# of fault a few. PS_FULL runs the half hour.
scenario() {
    local minutes rate
    minutes=$(rows 32 1800) rate=$(rows 800 1000)
    # Under a sanitizer the same time, fewer events.
    [ "$scale" = 1 ] || minutes=32
    minutes=$(awk -v s="$minutes" 'BEGIN { print s / 60 }')
    "$build/penstock" bench chaos --minutes "$minutes" --rate "$rate" --seed "$seed" --json chaos.json >chaos.txt 2>chaos.err || {
        sed 's/^/    /' chaos.txt chaos.err >&2
        # The report tells what the worker did from what its surroundings did.
        ! grep -q '^BROKEN PROMISE: ' chaos.txt || broken "chaos with seed $seed, see $work"
        fail "chaos with seed $seed, see $work"
    }
    say "$(tail -n 1 chaos.txt)"
}
