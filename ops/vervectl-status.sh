# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl status: windows, queue, sinks, reporters. ops/vervectl reads this file.

load queue
load sinks

BACKLOGS=20 # destinations that are shown, with the most jobs

# Adds what a shard has to the sums. The others count in the window of shard 0.
sum_shard() {
    reply=$(ask EVAL "$status_lua" 8 "$shard:sealed" "$shard:meta" \
        "$shard:callbacks" "$shard:due" "$shard:dead" "$shard:reporters" \
        "$shard:destinations" "$shard:strangers" now "$seconds" \
        "$shard:callbacks:") || exit
    first=${reply%%"$NEWLINE"*}
    names=${reply#"$first"}
    # shellcheck disable=SC2086 # seven numbers: see vervectl-status.lua
    set -- $first
    if [ "$number" = 0 ]; then
        window=$1 left_ms=$2 seconds=$4
    fi
    count=-
    if [ -n "$window" ]; then
        count=$(ask GET "$shard:count:$window") || exit
        count=${count:-0}
        counted=$((counted + count))
    fi
    sum_queue "$3" "$6"
    waiting=$((waiting + $5)) dead=$((dead + $7))
    shards="$shards$number tag=$tag${node:+ node=$node} count=$count waiting=$5 due=$6 dead=$7$NEWLINE"
    note_reporters
}

# Jobs in `due` are leased or delayed. A leased job is due again within a lease.
# $1 is the time in ms, $2 their number.
sum_queue() {
    matched=0
    walk count due leased $(($1 + lease_s * 1000 + 1000))
    leased=$((leased + matched))
    [ "$matched" -gt "$2" ] || delayed=$((delayed + $2 - matched))
    reply=$(ask EVAL "$status_lua" 2 "$shard:destinations" \
        "$shard:strangers" lists "$shard:callbacks:" "$BACKLOGS") || exit
    [ -n "$reply" ] || return 0
    lists="$lists$(printf '%s\n' "$reply" | while read -r list; do
        printf '%s %s\n' "$list" "$shard"
    done)$NEWLINE"
}

# Adds what the reporters $names say, which serve one shard.
note_reporters() {
    said=$(printf '%s\n' "$names" | while read -r reporter; do
        [ -n "$reporter" ] || continue
        reply=$(ask EVAL "$status_lua" 1 "$shard:reporter:$reporter" \
            reporter) || exit
        [ -z "$reply" ] || printf '%s\n' "$reply" # else it ended meanwhile
    done) || exit
    [ -z "$said" ] || reporters="$reporters$said$NEWLINE"
}

# Adds the hosts that a shard has on its list.
note_blocked() {
    reply=$(ask EVAL "$status_lua" 1 "$shard:blocked" blocked) || exit
    [ -z "$reply" ] || blocked="$blocked$reply$NEWLINE"
}

# Without shard 0 nobody can say which window is on. If another is away, its count
# is missing.
show_window() {
    [ -n "$window" ] || return 0
    [ -z "$away" ] || counted=-
    show window "$(utc "$window") seconds=$seconds left_ms=$left_ms count=$counted"
}

show_shards() {
    ! sharded || {
        printf '%s' "$shards" | while read -r text; do
            show shard "$text state=up"
        done
        for lost in $away; do
            take_shard "$lost" 0
            show shard "$lost${node:+ node=$node} state=away"
        done
        take_shard 0 0
    }
}

show_windows() {
    reply=$(ask EVAL "$status_lua" 1 "$prefix:windows" windows 5) || exit
    [ -n "$reply" ] || return 0
    printf '%s\n' "$reply" | while read -r start count note; do
        show reported "$(utc "$start") count=$count${note:+ $note}"
    done
}

show_queue() {
    show queue "waiting=$waiting leased=$leased delayed=$delayed dead=$dead"
    printf '%s' "$lists" | sort -rn -s -k 1,1 | head -n "$BACKLOGS" |
        while read -r jobs hash origin place; do
            show backlog "$origin waiting=$jobs list=$place:callbacks:$hash"
        done
}

# A host should be on the lists of all shards.
show_blocked() {
    printf '%s' "$blocked" | sort | uniq -c | while read -r times text; do
        [ "$times" -eq "$1" ] || text="$text shards=$times"
        show blocked "$text"
    done
}

show_reporters() {
    [ -n "$reporters" ] || show reporter "none delivers callbacks"
    printf '%s' "$reporters" | while read -r what text; do
        show "$what" "$text"
    done
}

show_status() {
    seconds=$(setting window.seconds) || exit
    lease_s=$(setting callbacks.lease_s) || exit
    job='' endpoint_host='' outcome='' quiet=yes
    window='' counted=0 waiting=0 leased=0 delayed=0 dead=0
    shards='' lists='' reporters='' blocked=''
    each_shard sum_shard
    each_shard note_blocked
    show_window
    show_shards
    show_windows
    show_queue
    show_blocked "$(printf '%s' "$shards" | wc -l)"
    show_sinks
    show_reporters
}

# All is read before the JSON begins, so that half of it is never printed.
run_status() {
    case $#${1-} in
    0 | 1--json) ;;
    *) wrong "status takes no arguments but --json" ;;
    esac
    connect
    if [ $# -eq 0 ]; then
        show_status
    else
        lines=$(show_status) || exit
        printf '%s\n' "$lines" | awk -f "$parts/vervectl-json.awk"
    fi
}
